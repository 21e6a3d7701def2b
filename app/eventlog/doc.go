// Package eventlog is the port to the one source of truth: an append-only log
// of events with contiguous positions.
//
// Four numbers order an event and are never mixed: Position (whole log),
// OrganizationSequence (one organization), Version (one stream), and a
// strategy's revision, which is domain and not here. All three log numbers are
// contiguous from 1, so whoever holds a set of events can tell what is missing.
//
// An append is one command on one stream, all or nothing, with optimistic
// concurrency on the stream's version and idempotency on the command's id. Its
// outcome is one of three: recorded (nil), refused (a fault; nothing was
// written), or unknown (ErrOutcomeUnknown). Unknown is resolved by appending
// the same command again, never by a new command id.
//
// # Leaf hash
//
// An event's leaf hash is that of RFC 6962, SHA-256(0x00 ‖ leaf).
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
//
// Package eventlogtest is the contract in executable form; every adapter runs it.
package eventlog
