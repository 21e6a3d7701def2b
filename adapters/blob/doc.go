// Package blob keeps objects in a directory (file:///…) or in a bucket that
// speaks S3 (s3://…), behind the port app/objectstore.
//
// # Directory
//
// An object is a file. It is written beside its place, synced, and linked into it:
// a link is refused if there is a file of that name, so of two that race one wins,
// whichever process or machine it runs on, and nobody ever sees half an object.
// The folder is synced before Put returns, also by the loser: what it then reads
// is durable. What a killed process leaves under .tmp is swept when the directory
// is opened an hour later. Replace and Delete overwrite the bytes that go, as far
// as the file system lets them (a disk that writes elsewhere, or a snapshot, keeps
// them: keys belong on neither). A directory refuses nothing to whoever may write
// it: for that there are buckets with object lock.
//
// # Bucket
//
// Put is conditional (If-None-Match: *), carries its checksum, and, with retain in
// the URL, locks the object in COMPLIANCE mode: until then nobody can delete or
// overwrite it, the account's owner included. Replace is conditional on the ETag.
// The store has to know both conditions; Amazon's does, and so do versitygw, R2
// and Ceph. Requests that fail in passing are repeated twice here and then given
// back: how long to go on is the caller's to say.
//
// A server that repeats a lost request finds the object of its first attempt:
// ErrExists then means "look what is there", as the port says.
package blob
