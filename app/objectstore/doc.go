// Package objectstore is the port to places that keep whole objects under keys:
// a directory, or a bucket that speaks S3. The archive needs Store only, since it
// never changes anything; the key store of personal data needs Mutable.
//
// A Put either keeps the whole object, durably, or nothing; of several that race
// for one key exactly one wins, the others get ErrExists. An answer that is lost
// on its way leaves it open which of the two happened: whoever repeats the Put
// and gets ErrExists reads what is there, and compares. What Get returns is not
// proof of what Put was given: a caller to whom it matters reads back.
package objectstore
