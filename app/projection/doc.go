// Package projection is the contract of what makes read databases out of the
// log, and what operators do with them: list and rebuild.
//
// A projection's checkpoint is in its own database and moves in the transaction
// of the effect. Dying on either side of that commit therefore costs nothing:
// before it the batch comes again, after it the batch is skipped. The cursor of
// the consumer group in the log database is only a hint where to start reading.
//
// One event that cannot be applied must not stop the others: its stream is
// parked, in the same transaction, with the reason. Later events of that stream
// are skipped, since they rest on the one that is missing; everything else
// flows. Status shows it, Resume repairs it once the code can, and a rebuild
// does so too.
package projection
