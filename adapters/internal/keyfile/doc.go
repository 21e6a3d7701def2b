// Package keyfile keeps Ed25519 private keys in files: PKCS #8 in PEM, as
// `openssl genpkey -algorithm ed25519` writes them, one block per key, readable
// by their owner alone.
//
// Create puts a whole key there or nothing: a process killed halfway leaves no
// half key, and of two that start together one wins and both read its key. Read
// refuses a file that others can read, with the command that mends it, since
// whoever has the key can sign as its owner; it never repairs or replaces one.
package keyfile
