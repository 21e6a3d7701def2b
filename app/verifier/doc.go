// Package verifier checks what Strata has recorded without trusting Strata: it
// is a second implementation, made from the published formats alone, and rests
// on nothing but Go's standard library. Evidence packs carry its source (see
// Source), so that an auditor can read what checks the pack, and run it offline.
//
// # What it knows
//
//   - strata-event-v1: the bytes an event is hashed as (Event.AppendLeaf), from
//     an exported line of JSON (ParseEvent).
//   - RFC 6962: the Merkle tree over the events in the order of their positions
//     (Tree), and inclusion and consistency proofs (CheckInclusion,
//     CheckConsistency). The leaf at index i is the event at position i + 1.
//   - C2SP signed-note and tlog-checkpoint: what the log signs (OpenNote,
//     OpenCheckpoint), Ed25519 signatures and cosignature/v1 of witnesses.
//   - The order of the log (Log): positions, organization sequences and stream
//     versions without gaps, time that does not go back, ids that come once.
//   - Exported forms: archive segments, evidence packs, receipts.
//
// # What it answers
//
// Everything that is not as it should be is a *Problem: the first bad position,
// the event there, what was expected, what was found, and what kind of change
// looks like that. A failure to read is an ordinary error and says nothing about
// the log. Input is taken for hostile: every parser has limits, and is fuzzed.
//
// # What it cannot see
//
// A log whose owner rewrites rows, tiles and archive, and signs all of it again
// with the real key, is consistent in itself. What stands against that is held
// by others: a checkpoint that was noted outside (Memory), a witness's
// cosignature (Trust.Quorum), a receipt.
package verifier
