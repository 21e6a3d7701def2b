package eventlog

import (
	"crypto/sha256"
	"encoding/binary"
)

const leafName = "strata-event-v1"

// AppendLeaf appends the canonical encoding of a stored event, as the package
// comment defines it, to dst.
func AppendLeaf(dst []byte, e *Event) []byte {
	dst = append(dst, leafName...)
	for _, n := range [...]int64{e.Position, e.OrganizationSequence, e.Version, int64(e.SchemaVersion), e.RecordedAt.UnixMicro()} {
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	dst = append(dst, e.OrganizationID[:]...)
	dst = append(dst, e.ID[:]...)
	dst = append(dst, e.CommandID[:]...)
	dst = appendSized(dst, e.StreamID)
	dst = appendSized(dst, e.Type)
	dst = appendSized(dst, e.Data)
	dst = appendSized(dst, e.Metadata)
	return appendSized(dst, e.CommandHash)
}

func appendSized[T ~string | ~[]byte](dst []byte, field T) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(len(field)))
	return append(dst, field...)
}

// LeafHash is the event's leaf in a Merkle tree as of RFC 6962.
func LeafHash(e *Event) [sha256.Size]byte {
	scratch := make([]byte, 0, 512+len(e.Data)+len(e.Metadata))
	return LeafHashIn(&scratch, e)
}

// LeafHashIn is LeafHash for those who hash many events: it works in *scratch,
// overwrites it and leaves it grown to what it needed.
func LeafHashIn(scratch *[]byte, e *Event) [sha256.Size]byte {
	leaf := append((*scratch)[:0], 0x00) // the domain of leaves; inner nodes have 0x01
	leaf = AppendLeaf(leaf, e)
	*scratch = leaf
	return sha256.Sum256(leaf)
}
