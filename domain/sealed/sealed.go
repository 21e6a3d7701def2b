// Package sealed knows what a sealed text looks like: personal data, encrypted
// under a key of the person's own before it comes into the domain. What it says
// nobody here can read; whose it is stands in front of it in clear, as an opaque
// id, so that holds and erasure find it.
package sealed

import (
	"encoding/base64"
	"strings"

	"strata.dev/strata/domain/ident"
)

const (
	version        = "v1"
	documentPrefix = "document-"
)

// MinCipherBytes is the least that encrypts anything: a nonce and a tag.
const MinCipherBytes = 12 + 16

// MaxBytes is how long a sealed text can be. It holds what the longest
// description in clear could say, and the names of a person's roles.
const MaxBytes = 192 << 10

// encoding refuses texts that encode the same bytes in another way.
var encoding = base64.RawURLEncoding.Strict()

// Text is what is written of bytes that were encrypted under a subject's key.
func Text(subjectID string, encrypted []byte) string {
	return version + "." + subjectID + "." + encoding.EncodeToString(encrypted)
}

// Parse takes a sealed text apart; ok = false if it is none. A text is written
// in one way only.
func Parse(text string) (subjectID string, encrypted []byte, ok bool) {
	if len(text) > MaxBytes {
		return "", nil, false
	}
	before, rest, _ := strings.Cut(text, ".")
	subjectID, encoded, ok := strings.Cut(rest, ".")
	if !ok || before != version || !ValidSubject(subjectID) || strings.ContainsAny(encoded, "\r\n") {
		return "", nil, false
	}
	encrypted, err := encoding.DecodeString(encoded)
	if err != nil || len(encrypted) < MinCipherBytes {
		return "", nil, false
	}
	return subjectID, encrypted, true
}

// Valid says whether text is a sealed text.
func Valid(text string) bool {
	_, _, ok := Parse(text)
	return ok
}

// Subject gives the id of whose data a sealed text holds: a person's, or a
// document's (Document); "" if it is no sealed text.
func Subject(text string) string {
	id, _, _ := Parse(text)
	return id
}

// Document is the subject id of a document that is kept under a key of its own.
// sha256 is that of its bytes in clear, in lower-case hexadecimal.
func Document(sha256 string) string { return documentPrefix + sha256 }

// ValidSubject says whether id can be a subject's: a UUID, or a Document.
func ValidSubject(id string) bool {
	if hash, ok := strings.CutPrefix(id, documentPrefix); ok {
		return ident.ValidHash(hash)
	}
	return ident.Valid(id)
}
