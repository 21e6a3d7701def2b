// Package postgres is the event log in PostgreSQL.
//
// # Positions
//
// Whoever inserts holds one advisory lock from before the statement that numbers
// to the end of the transaction. So positions are contiguous, become visible in
// their order, and "position > cursor" misses nothing: no sequence, transaction
// id, snapshot or clock takes part, and a dump restored elsewhere goes on where
// it ended. The lock is taken in a statement of its own: only the next statement's
// snapshot sees what the previous holder committed. Triggers of the table take the lock
// for a writer that forgot it and refuse numbers with gaps, whoever writes.
//
// # The append lane
//
// Append puts a command into a bounded queue. A lane, one goroutine with one
// connection, takes whatever has queued up while its previous transaction
// committed, and sends it as one group in one pipeline: lock, one statement that
// finds the winners, numbers and inserts them, and wakes the readers. No timer
// is involved: a lone command is sent at once. A command that loses its race or
// was recorded before does not disturb its neighbours; a command that makes the
// database fail the group is found by sending the group's commands one by one.
//
// # What a failure means
//
//   - The server refused (an ERROR, such as a timeout waiting for the lock): the
//     transaction was rolled back. The answer is ErrUnavailable.
//   - No connection: ErrUnavailable after one attempt to get one. A connection that
//     broke while it was idle is noticed before the group is sent, and replaced.
//   - The connection was lost, or the deadline passed, after the group was sent:
//     the outcome is unknown, and the lane finds out before it does anything
//     else. Over a new connection it first makes sure that the old server
//     process is gone (pg_terminate_backend by the connection's unique
//     application name): while that process lives, it may still be about to
//     receive the group, or to commit it, so that not finding a command in the
//     log would prove nothing. Taking the append lock would not be enough: the
//     old process may be queued behind it. Then the commands that are in the log
//     get their receipts; the others are sent once more, and are ErrUnavailable
//     if the same happens again. When this does not succeed within
//     Options.ResolveWithin, they are ErrOutcomeUnknown.
//   - The caller's ctx ends: the commit goes on without it. The answer is
//     ErrUnavailable if the command had not been taken from the queue yet, and
//     will not be; otherwise ErrOutcomeUnknown.
//
// A lane reconnects when the next command comes, at growing intervals with
// jitter. Reads that meet a broken connection ask once more over a new one.
//
// A server that is silent (frozen, or behind a network that swallows everything)
// is told from one that is slow: whoever has waited for half a second has a new
// connection tried (pulse), and when nothing answers within another second, reads
// and commands that were not sent are ErrUnavailable at once, until it answers again.
//
// The connection must be a session of its own: a pooler in transaction mode
// between Strata and PostgreSQL breaks the lock-then-read order and the
// resolution of unknown outcomes.
package postgres
