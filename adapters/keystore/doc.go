// Package keystore keeps the keys of subjects (app/personal) as objects in a
// directory or a bucket, one an object, outside of all databases: whoever
// restores an old database restores none of them.
//
// # What is stored
//
// The object "<organization>/<subject>" holds the subject's key, wrapped with
// AES-256-GCM under a key-encryption key (KEK) and bound to organization and
// subject, so that an object copied to another place opens nothing there. KEKs
// are in a file that is not in the store ([ReadKEKs]): the first wraps, all
// unwrap, so that one replaces the other without a gap ([Store.Rotate] wraps all
// keys anew; it may be stopped and started at any time).
//
// Once destroyed, the same object is a tombstone, for ever. A tombstone replaces
// exactly the version of the object that was read, and so does rotation: whichever
// comes second sees that the object has changed and looks again, so no race brings
// a destroyed key back. A key is made by a put that fails if there is an object:
// of two instances that make one at the same time, one wins and both use it.
//
// Keys are remembered for at most 30 seconds ([CacheAge]): that is how long an
// instance that was not the one to destroy a key can go on reading what it opened
// before.
//
// # When it fails
//
// A store that does not answer, and a key wrapped under a KEK that is not in the
// file (the error names it), are personal.ErrUnavailable: nothing is sealed and
// nothing is opened, and nothing was changed. An object that is not exactly what
// is written here is an error that names it, never a new key: sealing under
// another key than before would split a person in two.
//
// The store must not keep what is replaced: a bucket with versions, or a backup of
// it that is kept for long, keeps destroyed keys alive.
package keystore
