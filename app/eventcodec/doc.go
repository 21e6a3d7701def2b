// Package eventcodec turns domain events into stored bytes and back.
//
// What is stored is named by a wire type ("strategy.goal-added") and a schema
// version, never by a Go name: the one table in types.go ties them together, and
// building it with a name or a Go type twice panics, so a release with such a
// table does not start. Bodies are canonical JSON (RFC 8785), made once by
// Encode and hashed as they are.
//
// Stored bodies are never rewritten. When the shape of an event changes, its row
// in the table gets an upcaster from the former schema to the next; Decode runs
// those that a body needs. testdata holds one body per schema ever written, and
// api/schemas its JSON Schema.
//
// A type or schema that this release does not know (written by a newer one) is
// ErrUnknown, a body that does not fit its type ErrMalformed: both stay the same
// however often they are tried, so consumers park the stream instead of retrying.
package eventcodec
