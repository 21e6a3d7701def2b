// Package archive writes the log to a place that outlives every server, and reads
// it back.
//
// # What is there
//
//	epoch-0001/segments/<first position>.ndjson.zst   events, without a gap
//	epoch-0001/checkpoints/<tree size>                signed checkpoints of the log
//	originals/<organization>/<sha256>                 documents that events refer to, as stored (sealed)
//
// A segment is one zstd frame with its content checksum, of lines of JSON: a
// header, then one line an event with all its fields; body and metadata stand in
// it byte for byte as they are stored and hashed. The header names first and last
// position, the SHA-256 of the segment before it, and the Merkle frontier and root
// of the whole log up to its last event (RFC 6962, over the leaves of package
// eventlog). So segments are a chain, one segment says what the whole log before
// it was, and every object proves itself to who knows one root. There is one
// spelling of every line: a reader writes what it understood again and compares.
//
// # How it gets there
//
// Archiver is a consumer group. A batch (10,000 events, 8 MiB, or what has come
// since the first waiting event plus a pause) becomes a segment: originals first,
// then the segment, put only if there is none of that key; then it is read back,
// unpacked, and its hash and root are computed again. Only then it counts. Where
// the archive ends is asked of the store, when reading begins and after every
// failure; the cursor in the log database is a hint for people and for those who
// wait.
//
// # When it fails
//
// A store that is away, slow, or answers with something else than was put, is
// tried again with growing pauses; nothing else waits for it. A process that dies
// between any two steps leaves at most an object that its successor finds and
// compares. Two archivers at once cannot disagree: the put decides, and the loser
// takes the winner's segment for its own if it holds what the log holds.
//
// An archive that ends behind the end of the log, or whose last segment is not what
// the log holds, is never written to: Checkpoint refuses with positions and hashes,
// and the group stands until an operator restores the log or begins an epoch. After
// a restore that lost a tail the archive goes on in the folder of the next epoch,
// whose first segment continues the one that holds the last common position.
package archive
