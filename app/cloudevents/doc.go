// Package cloudevents is the wire form of an event for everybody outside: one
// CloudEvents 1.0 document in structured JSON mode. The relay to RabbitMQ and
// the HTTP feed send the same bytes.
//
// The document is canonical JSON (RFC 8785). Its data member is the event's
// stored bytes, spliced in and not encoded again: what is hashed is what is
// sent. Metadata strings are spliced in the same way. Bytes that are not what
// the log promises (data that is no JSON, metadata without an actor) are an
// error of that one event, never a document that others cannot read.
//
// # Leaf hash
//
// leafhash is the RFC 6962 leaf hash, SHA-256(0x00 ‖ leaf), in lower-case hex.
// The leaf is made of every stored field of the event, so that nothing about it
// can be changed unseen. It is the concatenation of
//
//	"strata-event-v1"          15 bytes, the name of this encoding
//	position                   8 bytes
//	organization sequence      8 bytes
//	version                    8 bytes
//	schema version             8 bytes
//	recorded at                8 bytes, microseconds since 1970-01-01T00:00:00Z
//	organization id            16 bytes
//	event id                   16 bytes
//	command id                 16 bytes, zero if the event has none
//	stream id                  length (8 bytes), bytes
//	type                       length (8 bytes), bytes (as stored: without prefix and version)
//	data                       length (8 bytes), bytes as stored
//	metadata                   length (8 bytes), bytes as stored
//	command hash               length (8 bytes: 0 or 32), bytes
//
// with all numbers as unsigned big-endian. No two events have the same leaf,
// since every field has a fixed place or says its length.
package cloudevents
