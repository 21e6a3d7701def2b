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
// Package eventlogtest is the contract in executable form; every adapter runs it.
package eventlog
