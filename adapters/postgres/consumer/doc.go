// Package consumer brings the log to its consumers: one Watermill router, one
// handler per consumer group, one cursor each.
//
// # The way of a batch
//
// watermill-sql's Subscriber runs the queries of our SchemaAdapter. One page of
// rows becomes one message (the adapter advances the rows itself), which the
// router hands to the group's handler or, unpacked, to a publisher; one
// acknowledgement and one cursor write follow. Pages are read by primary key
// behind the cursor, so their cost does not depend on the backlog. Each page
// must continue the cursor without a gap: a gap stops the group (GapError),
// since skipping it would lose events for good.
//
// While a relay publishes a full page, the next one is read and made into messages
// (ahead.go). It is used if the cursor, asked for when its turn has come, is where
// it begins, and dropped otherwise; what counts and when does not change by it.
//
// # What is held meanwhile
//
// Nothing. The Subscriber's transactions are none (openAutocommit): while a
// handler works or a broker is away, the database sees idle connections only.
// The cursor is written after the fact, never backwards, and with
// synchronous_commit off: losing the last writes repeats batches, and that is
// what handlers are made for.
//
// # Failure
//
// A refused batch is read again from the database after a pause (50 ms doubling
// to 2 s, with jitter). One line tells the log when that begins and one when it
// ends; Status shows it in between. A handler that overruns its time is waited
// for: it is never started beside itself. An error that is poison (ErrPoison,
// or a panic) is narrowed down by halving the page until the event stands
// alone; its stream is then parked for this group, in the statement that moves
// the cursor past it, and everything else flows. Resume repairs it.
//
// A publisher that says how far it got (Delivered) is believed: the cursor moves
// behind what is safe, and a message that was refused by itself (Refused) is
// tried alone until it is taken, so the messages around it are not repeated.
//
// # One reader per group
//
// Each group has one connection that holds a session advisory lock and listens
// for commits. It is watched: a connection that does not answer within 6 s ends
// the context of the batch in flight and stops the reading, long before the
// server (25 s of TCP keepalive) gives the lock to somebody else. A process that
// dies frees its lock at once, and a standby, which asks every second, goes on.
// Should two readers overlap in spite of all this, they repeat events to their
// consumers; they cannot lose any, since cursors only go forward and each moves
// only behind what was taken.
//
// # A group with its own checkpoint
//
// A projection's truth is the checkpoint in its own database, moved in the
// transaction of the effect. It is asked when leadership begins, after each
// failure, and now and then when idle; the group reads on from it. The cursor in
// the log database is then a hint for operators.
//
// # A log that was restored
//
// A checkpoint or cursor beyond the end of the log, or beyond the point where the
// log began another history (epoch), is refused with eventlog.AheadError, and the
// group stands still until somebody has done what it says; the other groups go
// on. One that is before that point is in both histories: the group goes on, and
// its cursor, or History, says from there on that it follows the new one.
//
// # Waking
//
// An idle group waits for Wake (this process committed), a notification (another
// did), or its poll, and costs less than two statements per second.
//
// # Stopping
//
// When Run's context ends, no new page is read, the batch in flight is finished
// and its cursor written, the router closes, and only then does the lease go: a
// clean stop repeats nothing.
package consumer
