package command

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"

	"github.com/google/uuid"
	"github.com/gowebpki/jcs"

	"strata.dev/strata/domain/fault"
)

// ErrMalformed: a body that is not exactly one JSON text with unique members.
var ErrMalformed = fault.New(fault.Malformed, "malformed-request", "The request cannot be read.")

// commandSpace is the namespace of command ids; changing it would forget every key ever used.
var commandSpace = uuid.MustParse("6f1d4d0e-4c8e-5a0b-9d2b-2f0c7a1e9b53")

// CommandID is the image of an idempotency key: the same principal of the same
// organization gets the same id for the same key, nobody else does.
func CommandID(organization uuid.UUID, issuer, subject, key string) uuid.UUID {
	b := organization[:]
	for _, part := range []string{issuer, subject, key} {
		// With its length, so that no two lists of parts look the same.
		b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
		b = append(b, part...)
	}
	return uuid.NewSHA1(commandSpace, b)
}

// step derives the id of one step of a command that takes several appends.
func step(command uuid.UUID, name string, n ...int) uuid.UUID {
	b := append([]byte(nil), name...)
	for _, i := range n {
		b = append(b, '/')
		b = strconv.AppendInt(b, int64(i), 10)
	}
	return uuid.NewSHA1(command, b)
}

// Fingerprint says what was asked: a repetition must ask the same. The body is
// brought to canonical JSON (RFC 8785) first, so white space and member order
// do not matter; duplicate members and bad UTF-8 are refused with ErrMalformed.
// An empty body is allowed.
func Fingerprint(method, path string, body []byte) ([]byte, error) {
	canonical := []byte(nil)
	if len(body) > 0 {
		var err error
		if canonical, err = jcs.Transform(body); err != nil {
			return nil, ErrMalformed.Detailf("The body is not JSON: %s.", err).Because(err)
		}
	}
	return FingerprintBytes(method, path, canonical), nil
}

// FingerprintBytes is Fingerprint of a body that is not JSON: its bytes count as they are.
func FingerprintBytes(method, path string, body []byte) []byte {
	h := sha256.New()
	for _, part := range [][]byte{[]byte(method), []byte(path), body} {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write(part)
	}
	return h.Sum(nil)
}
