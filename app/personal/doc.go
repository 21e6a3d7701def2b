// Package personal seals what says who a person is, so that it can enter a log
// that is never changed and still be erased.
//
// Every subject (a person as one organization knows them, or one document) has
// a key of its own, kept outside of all databases ([Keys]). What is sealed is
// AES-256-GCM under that key, bound to the organization and the subject; logs,
// read databases, messages, archives and backups hold nothing else. Destroying
// the key destroys the data in all of them at once, and every hash and proof
// over them stays as it is.
//
// Sealing is repeatable: the nonce follows from the key and the text, so a step
// that is done again, after a crash or by another instance, leads to the same
// bytes. Two texts of one subject are told apart by whether they are equal and
// by their length; nothing else shows.
//
// A person that a document names, and nobody else, is known by that name: the
// subject is an HMAC of it under a key of the organization's ([Sealer.SubjectOf]),
// so that the same name is the same subject in every import, and nobody can find
// out the subject of a name without that key. Two persons of one name are one
// subject.
//
// # When it fails
//
// A key store that cannot be reached makes sealing and opening fail with
// [ErrUnavailable]: commands that would have to seal write nothing. A destroyed
// key is no failure: opening says so (ok = false), sealing is [ErrDestroyed] for
// ever. A key that was never there, for a text that was sealed with one, is
// [ErrNoKey]: the wrong key store, or one that lost keys. Bytes that were changed
// or come from elsewhere are [ErrForged].
package personal
