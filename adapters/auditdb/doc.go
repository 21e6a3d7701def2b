// Package auditdb keeps the audit read database: a copy of every event, found by
// stream, actor, type and time.
//
// Data and metadata are copied byte for byte, so what an auditor reads can be
// hashed against the log. Who, why and what caused it are read out of the
// metadata into columns of their own, to be searched. An event whose metadata
// cannot be read is kept all the same, with those columns empty: nothing is
// ever left out here because this release does not understand it.
package auditdb
