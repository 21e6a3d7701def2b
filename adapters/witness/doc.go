// Package witness is both sides of a witness (C2SP tlog-witness): somebody else
// who remembers the largest checkpoint of a log it has seen, and cosigns a next
// one only if it is proved to continue that one. A log with a witness cannot show
// one history to some and another to others, nor go back.
//
// Client asks a witness to cosign. It learns from the witness which size that has
// seen, and looks at the cosignature before it gives it on. A witness that does
// not answer costs its caller the time it was given and nothing else. One that
// says that the log is not the one it has seen (an older one, or a fork) is an
// ErrContradicted of package ledger: then nothing is signed.
//
// Server is a witness of our own, for a process, and better a machine, of its own.
// What it cosigns it has stored first: the state is one small file, replaced whole
// and synced, and locked while a process uses it. A state that cannot be written
// or read means no cosignature.
//
// Cosignatures are cosignature/v1: Ed25519 over the checkpoint and a time.
package witness
