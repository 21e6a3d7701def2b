package verifier

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// UUID is an id. The zero value is none.
type UUID [16]byte

// String is the usual form, in lower case.
func (u UUID) String() string {
	var b [36]byte
	hex.Encode(b[:], u[:4])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	hex.Encode(b[9:], u[4:6])
	hex.Encode(b[14:], u[6:8])
	hex.Encode(b[19:], u[8:10])
	hex.Encode(b[24:], u[10:])
	return string(b[:])
}

// ParseUUID reads the usual form, in lower case.
func ParseUUID(s string) (u UUID, err error) {
	if len(s) != 36 {
		return u, fmt.Errorf("%.40q is no UUID", s)
	}
	if _, err := hex.Decode(u[:], []byte(s[:8]+s[9:13]+s[14:18]+s[19:23]+s[24:])); err != nil || u.String() != s {
		return UUID{}, fmt.Errorf("%.40q is no UUID in lower case", s)
	}
	return u, nil
}

// Limits of an event; the log refuses to record more.
const (
	maxName  = 200     // bytes of a stream id or a type
	maxBytes = 1 << 20 // data and metadata together
)

// Event is a recorded event, every field of it.
type Event struct {
	Position     int64 // in the whole log, from 1
	Sequence     int64 // in the organization's part of it, from 1
	Version      int64 // in the stream, from 1
	Schema       int64
	RecordedAt   int64 // microseconds since 1970, UTC
	Organization UUID
	ID           UUID
	CommandID    UUID // of the first event of a command; else zero
	Stream       string
	Type         string
	Data         []byte // the stored bytes
	Metadata     []byte
	CommandHash  []byte // 32 bytes with CommandID, else none
}

// Time is RecordedAt.
func (e *Event) Time() time.Time { return time.UnixMicro(e.RecordedAt).UTC() }

const leafName = "strata-event-v1"

// AppendLeaf appends the bytes that stand for the event in the tree: the name of
// the format, five numbers, three ids, and five fields with their lengths, all
// numbers as 64 bits, big-endian.
func (e *Event) AppendLeaf(dst []byte) []byte {
	dst = append(dst, leafName...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.Position))
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.Sequence))
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.Version))
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.Schema))
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.RecordedAt))
	dst = append(dst, e.Organization[:]...)
	dst = append(dst, e.ID[:]...)
	dst = append(dst, e.CommandID[:]...)
	for _, field := range [][]byte{[]byte(e.Stream), []byte(e.Type), e.Data, e.Metadata, e.CommandHash} {
		dst = binary.BigEndian.AppendUint64(dst, uint64(len(field)))
		dst = append(dst, field...)
	}
	return dst
}

// Leaf is the event's leaf hash.
func (e *Event) Leaf() Hash {
	return HashLeaf(e.AppendLeaf(make([]byte, 0, 256+len(e.Data)+len(e.Metadata))))
}

var errLeaf = errors.New("no leaf of " + leafName)

// ParseLeaf reads what AppendLeaf writes.
func ParseLeaf(b []byte) (Event, error) {
	const fixed = len(leafName) + 5*8 + 3*16
	if len(b) < fixed || string(b[:len(leafName)]) != leafName {
		return Event{}, errLeaf
	}
	var e Event
	rest := b[len(leafName):]
	for _, n := range []*int64{&e.Position, &e.Sequence, &e.Version, &e.Schema, &e.RecordedAt} {
		*n, rest = int64(binary.BigEndian.Uint64(rest)), rest[8:]
	}
	for _, id := range []*UUID{&e.Organization, &e.ID, &e.CommandID} {
		copy(id[:], rest)
		rest = rest[len(id):]
	}
	var fields [5][]byte
	for i := range fields {
		if len(rest) < 8 || binary.BigEndian.Uint64(rest) > uint64(len(rest)-8) {
			return Event{}, fmt.Errorf("%w: it ends within a field", errLeaf)
		}
		n := binary.BigEndian.Uint64(rest)
		fields[i], rest = rest[8:8+n], rest[8+n:]
	}
	if len(rest) > 0 {
		return Event{}, fmt.Errorf("%w: %d bytes behind the last field", errLeaf, len(rest))
	}
	e.Stream, e.Type, e.Data, e.Metadata, e.CommandHash = string(fields[0]), string(fields[1]), fields[2], fields[3], fields[4]
	return e, e.check()
}

// check says which field cannot be as it is.
func (e *Event) check() error {
	switch {
	case e.Position < 1:
		return fmt.Errorf("position %d", e.Position)
	case e.Sequence < 1:
		return fmt.Errorf("position %d: organization sequence %d", e.Position, e.Sequence)
	case e.Version < 1:
		return fmt.Errorf("position %d: version %d", e.Position, e.Version)
	case e.Schema < 1 || e.Schema > 1<<31-1:
		return fmt.Errorf("position %d: schema version %d", e.Position, e.Schema)
	case e.Stream == "" || len(e.Stream) > maxName:
		return fmt.Errorf("position %d: a stream id of %d bytes", e.Position, len(e.Stream))
	case e.Type == "" || len(e.Type) > maxName:
		return fmt.Errorf("position %d: a type of %d bytes", e.Position, len(e.Type))
	case len(e.Data)+len(e.Metadata) > maxBytes:
		return fmt.Errorf("position %d: %d bytes of data and metadata", e.Position, len(e.Data)+len(e.Metadata))
	case e.CommandID == (UUID{}) && len(e.CommandHash) != 0, e.CommandID != (UUID{}) && len(e.CommandHash) != 32:
		return fmt.Errorf("position %d: a command hash of %d bytes with command id %s", e.Position, len(e.CommandHash), e.CommandID)
	}
	return nil
}
