// Package rest is Strata over HTTP: the driving port that most people and
// programs use.
//
// # Contract first
//
// api/openapi.yaml decides. Package gen is generated from it, and the same
// document is compiled once at start into what each operation checks: who may
// call it, which headers it needs, which parameters and bodies it takes, what it
// answers in. A handler sees only requests that fit the contract and holds no
// checks of its own but those a schema cannot say.
//
// # The way of a request
//
// envelope (request id, recovery, security headers, metrics, one log line if it
// fails) → route → gate (token, rate, headers, parameters, body: bytes, JSON
// without ambiguities, schema) → handler → answer. Whatever goes wrong on the
// way is returned as an error and becomes problem+json in one place (problem.go).
//
// A body is read once and brought to canonical JSON (RFC 8785). These bytes are
// what is validated, what is decoded and what is hashed, so no two readers can
// understand it differently.
//
// A source's message (ingest.go) has a signature instead of a token, and it
// covers the bytes: they go to the intake as they came, and what is wrong with
// those of a source that is believed is kept there. Bytes of evidence stay as
// they are, too; they leave only as a download (evidence.go).
//
// # What is journalled
//
// What is forbidden to somebody, what a rule of segregation refuses, tokens that
// are not believed, and every answer with audit data go to Options.Journal before
// they are answered (journal.go). Its entries are events like others: who may
// read events, and not the journal, sees that they are there and not what they
// say (withhold.go).
//
// # What goes on
//
// A live stream (broadcast.go, stream.go) is a place in the log and nothing
// else: one follower per organization waits for the read side and keeps the last
// frames, each reader takes what is behind its place, and one that is further
// behind reads the database. A reader that takes nothing loses its connection;
// nobody waits for it. What was accepted with Prefer: respond-async
// (operations.go) is done by API.Run, here or in another instance: the log and
// the store of imports know how far it is, this process only whom it is busy with.
//
// # Under failure
//
// A handler that outlives its time, or whose caller has gone, stops waiting; a
// command then answers 504 outcome-unknown unless it is known that nothing was
// recorded, and the repetition with the same Idempotency-Key finds out. A panic
// is a 500 for one request. When the service stops, streams and long polls end
// first, and operations stop between two appends; whoever starts next goes on
// with them. Nothing of an error but its public part leaves the
// process: causes, stacks and SQL go to the log.
package rest
