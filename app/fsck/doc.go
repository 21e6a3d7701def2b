// Package fsck compares everything an installation keeps with its event log, and
// says in one report what the log cannot explain. It changes nothing.
//
// # What is compared
//
// The log is read once, in order, and what can be judged by looking at events is
// judged on the way: the log itself (numbers without gaps, time that does not go
// back, bodies that this release can read and that are canonical), every stream
// (folded by its aggregate), and the rows that stand beside the log in its
// database (cursors, parked streams, timers, the inbox, runs of imports). What
// keeps a copy of the log or of what it makes (read databases, archive, ledger,
// originals, the key store) is a Part and is compared on its own.
//
// A stream is folded a second time, from what its index gives and in two steps,
// as services do who remember a state: a fold that does not do the same thing
// twice, or an index that does not give what is there, shows as two digests. A
// read model that differs from its shadow copy is copied once more: if the
// copies differ from each other, it is the projector that is at fault, and not
// somebody who wrote to the database.
//
// # What a report means
//
// A section is ok, wrong, failed (it could not be checked, and why) or not
// configured. Nothing that was not looked at is ever called ok. What is wrong is
// named by table, key, position and organization, with what to do about it; the
// first of each section come first in the log's order. Appends, projections and
// processes may go on meanwhile: rows are read before the head of the log, so
// that whatever explains them has been recorded by then.
//
// # When something fails
//
// What cannot be reached fails its section and no other. A log that cannot be
// read fails every section that needs it.
package fsck
