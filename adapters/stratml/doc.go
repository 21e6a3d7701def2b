// Package stratml reads and writes StratML files: app/stratml's Parser over
// encoding/xml, and its Writer.
//
// A file passes three gates, each with bounded work. First a scan over the raw
// bytes (scan.go) bounds what encoding/xml would otherwise build in memory
// before it returns: the length of one tag, the number of elements; it also
// refuses every <! declaration, so no DTD and no entity can be declared. Then
// the token reader (reader.go) bounds depth, and refuses duplicate attributes,
// a second root and text outside the root, all of which encoding/xml accepts.
// Last, the grammar (document.go) takes every known child wherever it stands,
// and records each deviation from the official schema with its place.
//
// A refusal leaves nothing behind: the document exists only when all of it was read.
//
// The writer (writer.go) knows the order of the schemas and what their types
// take. It is given documents that are kept (app/stratml) and makes no decision:
// what it cannot write as it is it escapes, so that reading it gives the same
// content hash.
package stratml
