// Package ledger seals the log: an RFC 6962 Merkle tree whose leaf i is the event
// at position i + 1, and signed checkpoints of it. Whoever keeps a checkpoint can
// tell, for ever and without us, whether what it covers was changed.
//
// # The way to a signature
//
// Two steps, since growing must not wait for signing. Sealer.Grow is what the
// consumer group does: it hashes the next events and stores the tiles they make with
// the new size in one transaction. Sealer.Run, on the instance that leads the
// group, signs the size that is durable, at least every second while events arrive.
//
// Before it signs, everything is computed a second time. The stored rows from the
// size signed last to this one are read again, and made leaves by other code; they
// are put onto the frontier at that size (Frontier, which shares no code
// with the tiles), and the frontier itself is believed only if it gives the root
// signed then. So the new root contains the old tree by construction. It must be
// the root that the tiles give, the tiles must prove the same consistency, and the
// newest checkpoint in the archive must be one of this tree.
//
// # Refusal
//
// If any of it does not hold, nothing is signed: Status says since when and why,
// with the first position that differs where that can be told, metrics and
// /healthz show it, and it is tried again every few seconds. It heals when all of
// it holds again, never by signing something else. What is sealed stays readable.
//
// # Crashes and company
//
// A process that dies between tiles and checkpoint leaves a size that is durable
// and not signed: the next one signs it. Two that overlap cannot fork: tiles move
// from the size one has seen or not at all, and for one size there is one root or
// a refusal.
//
// # Names
//
// Keys are called <instance>/log and live on over restores; the log that a
// checkpoint is of is <instance>/log/<epoch>. All keys of the key file sign, so
// that an old and a new one overlap while verifiers change over.
//
// # Reading
//
// Reader serves tiles, proofs and receipts. Every hash that goes into a proof is
// first held against a signed root: tiles that were tampered with give an error,
// not a proof.
package ledger
