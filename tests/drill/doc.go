// Package drill destroys installations and brings them back.
//
// The drill of a total loss fills an installation with real histories, writes down
// what there is (the digest of every entity and of every row of the read models,
// the root of the Merkle tree), and destroys all databases and the broker's data
// with SIGKILL and rm -rf while commands come in. What is left is the archive and
// the key store. New servers are started, the log is restored, and everything is
// held against what was written down, against what clients were told, and against
// what another team's queue had got.
//
//	make drill            the real data beside the repository
//	make drill N=20000    so many events; this is also what `go test` does
//
// The others set the log database back to an earlier moment, as PostgreSQL's own
// recovery does, and restore parts beside a running service.
package drill
