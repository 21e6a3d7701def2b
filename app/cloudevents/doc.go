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
// epoch is there from the second history of the log on (see eventlog.Epoch), so
// that a consumer that has seen what a restore has lost can tell.
//
// leafhash is the event's leaf hash (see eventlog.AppendLeaf) in lower-case hex.
package cloudevents
