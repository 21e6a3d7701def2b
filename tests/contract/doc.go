// Package contract checks what other programs rely on, and what `make check`
// cannot see by reading the documents alone: that every event type has a schema
// and a body that was really written, that the AsyncAPI document's examples are
// valid against the schemas it points to, and that nothing which was released
// (api/released) has changed its meaning since: schemas only grow, and the
// bodies of then are still valid and readable.
//
// The HTTP contract's own changes are judged by oasdiff (make contracts).
package contract
