// Package command is everything Strata can be asked to do.
//
// # The way of a command
//
// A command names one aggregate. Execute finds who asks in the organization's
// own events, takes the roles that hold now (S13), folds the aggregate's
// stream, asks the domain to decide, and appends the answer with the version
// the decision rests on. Several commands in one call are decided one after
// another on the folded state and become one append: all or nothing.
//
// # Second persons
//
// What takes two persons (S8, S15) is countersigned: one signs the fingerprint
// of the exact request, the other gives it with that signature. The port has
// verified the signature; whose it is, that they are not the one who asks, and
// that they hold the role now, is decided like everything else, from the
// organization's events. The one event holds both. Nothing is kept of a
// countersignature that is not used.
//
// # Machines
//
// Strata's own processes and registered sources ask under principals that only
// code of the service makes. They are no members: a process is bound to what the
// table of roles lets processes do, a source to the indicators its own stream
// says it may write, as of now, and to keys that no person wrote last (S14). A
// source that is suspended elsewhere may go on for MembershipAge.
//
// # What other aggregates say
//
// A decision may rest on other aggregates: that a subject is there, which
// finding is open about an indicator, what a source may do. The service reads
// their streams, and commands that claim such things themselves are overruled.
// Which findings there are to look at, the read database says, as of the head of
// the log; it is asked only where the answer can matter, and if it is behind for
// long the command fails as unavailable. What changes between that reading and
// the append is not noticed: the log orders one stream, not all of them.
//
// # Evidence
//
// Bytes are kept before they are recorded, and given only if they still have
// the hash that was recorded. Bytes that a crash left unrecorded are found by
// the repetition, or stay unused.
//
// # Batches
//
// RecordBatch appends the accepted items of one indicator together, each event
// under the id of its item. A repetition reads from the log which items are
// there. Those refused between them stay refused: accepted now, they would come
// after items that followed them.
//
// # What is remembered, and what that may cost
//
// Folded states are kept in memory with their version, within a budget counted
// in events. A remembered state may be old: another process may have appended.
// That is harmless for what gets recorded, since the append names the version,
// and for what is refused it is checked: a refusal, a no-op or a version
// mismatch found on a remembered state is decided again on the state as read
// now, before it is answered. The organization's own state, from which roles
// come, is read again when it is older than MembershipAge, so a revoked role
// ends within that time everywhere, and at once in the process that revoked it.
//
// # Failure and repetition
//
// A lost race is decided again on the newer state when the caller named no
// version (nil Expected), and answered with stale-revision when he did. Every
// command carries an id made from the caller's idempotency key; the log
// refuses to record one twice. Before a refusal is answered the log is asked
// for that id: a repetition of a command that was recorded gets its first
// answer, whatever the state has become since. If the log cannot be read the
// command fails as unavailable and nothing is guessed; if a commit's outcome
// is unknown that is the answer, and the repetition finds out.
package command
