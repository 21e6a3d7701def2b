// Package readdb is what the read databases have in common: generations,
// checkpoints, parking, rebuilds, verification, and reading as one organization.
//
// A model's tables live in one schema per generation. The generation's row in
// public.generations is its checkpoint; it is locked first and moved last in the
// transaction of every batch, so effect and checkpoint are one, and of two
// projectors one waits for the other and then finds its batch applied already.
//
// Every row of a model is derived from one stream only. That is why a stream can
// be parked and resumed alone, and why a model does not depend on how the
// events were cut into batches.
//
// A verification makes a copy as a rebuild does, brings it to the live position
// under the live row's lock, takes one snapshot of both, lets go of the lock, and
// compares all rows in the order of their keys: batches are applied meanwhile and
// do not show. What differs was not written by the projector, since the log is the
// only thing that both came from.
//
// What was known at a moment of the past is read from a copy of one
// organization's rows that is made of its events alone (Recalls), in one
// transaction, beside the generations: neither a rebuild nor a verification knows
// of it. A few are kept while they are asked for.
//
// What happens when it fails:
//   - A batch fails as a whole (connection lost, process killed): nothing of it
//     is there, and it comes again. Its commit may have succeeded unseen: then
//     it is skipped.
//   - An event fails (unknown type, a body that cannot be read, a panic in the
//     fold, a value the database refuses): the batch is done again event by event,
//     each under a savepoint, and the stream of the failing one is parked.
//   - A rebuild or verification dies: the live generation was not touched. The next
//     one drops what is left behind.
//   - Somebody writes to the live generation by hand: readers see it until the next
//     verification names the rows and, if told to, switches to its copy. What else
//     was folded onto such rows meanwhile is named and repaired with them.
//   - The live copy has another layout than the code (see Model.Layout): Apply
//     refuses and readers are told to come again, until Upgrade has built a copy
//     of the newer layout beside it. The older release goes on until the switch,
//     and refuses from there on. No release ever writes another one's tables.
//   - Whoever makes a recalled copy dies: nothing of it is there. One is dropped
//     while somebody reads it: the reader finds its table gone, and asks for the
//     copy again.
//   - A switch is one commit. It locks the live generation's row, so no batch is
//     between the two; readers choose their generation in the first statement of
//     a repeatable-read transaction and stay with it.
//
// Retired generations are kept for a while after the switch (see graceOfRetired)
// for transactions that chose them just before.
package readdb
