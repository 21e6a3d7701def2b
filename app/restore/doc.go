// Package restore brings a log back, from its archive, and says what that means
// for everybody who has followed it.
//
// # The whole log
//
// Log reads an archive from its first position on, with everything proven before
// it is used: form and hash of each segment, the chain, positions without a gap,
// the root behind every segment, and the roots of the archive's own signed
// checkpoints. What the database has already is compared to the byte; behind its
// end events are written as they were, positions included, in large batches
// through the triggers that guard the table. Then documents are put back, imports
// are noted, so that a service goes on with those that were under way, and the
// next epoch begins.
//
// The relay's cursor moves in the transaction of each batch: history is never
// announced again, whatever interrupts the restore. Read models have checkpoints
// of their own; the other consumer groups begin at position 1 and find their
// effects in the log: what a process asks for has an id that follows from its
// cause, and a command happens once.
//
// # Epochs
//
// Nobody can know that an archive, a dump or a point in time had the last event
// that was ever seen. So a restore ends with an event that begins another epoch
// (see eventlog.Epoch). From then on a place in the log is a position and an epoch:
// who stands beyond the point where both histories part is refused, and told what
// to do, instead of going on with another history unnoticed.
//
// A service that finds its archive, a read model or a cursor beyond the end of the
// log, in the same epoch, takes no commands (BehindError): the log has lost its
// end, and nobody has decided yet whether it comes back.
//
// # When something fails
//
// A restore that dies at any moment is gone on with by calling it again: it
// compares what is there and continues. Until it is through, services do not open
// the log. A segment that is missing or damaged ends it with everything before it
// written and the gap named; it goes on over the gap if somebody has the events
// from elsewhere (a standby, another archive), which the next segment's root
// proves. An archive that is not this installation's, or a database that is not the
// archive's, is refused at the first difference.
//
// # Less than everything
//
// One organization, one stream, or a read model as of any position is read out of
// the log or the archive beside a running service. See Extract and UpTo.
package restore
