package verifier

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of a signed note.
const (
	maxNote       = 1 << 20
	maxSignatures = 100
)

// Note is a text with signatures, as C2SP signed-note defines it. Nothing in it
// is to be believed before Note.Signed has said who signed it.
type Note struct {
	Text       string // with its final newline
	Signatures []Signature
}

// Signature is one line below a note.
type Signature struct {
	Name  string
	KeyID uint32
	bytes []byte
}

var errNote = errors.New("malformed note")

// ParseNote takes a note apart. It verifies nothing.
func ParseNote(b []byte) (Note, error) {
	switch {
	case len(b) > maxNote:
		return Note{}, fmt.Errorf("%w: %d bytes, at most %d are read", errNote, len(b), maxNote)
	case !utf8.Valid(b):
		return Note{}, fmt.Errorf("%w: it is no UTF-8", errNote)
	}
	for i, c := range b {
		if c < ' ' && c != '\n' {
			return Note{}, fmt.Errorf("%w: control character at byte %d", errNote, i)
		}
	}
	split := bytes.LastIndex(b, []byte("\n\n"))
	if split < 0 || b[len(b)-1] != '\n' {
		return Note{}, fmt.Errorf("%w: no signatures after an empty line", errNote)
	}
	n := Note{Text: string(b[:split+1])}
	lines := strings.Split(strings.TrimSuffix(string(b[split+2:]), "\n"), "\n")
	if len(lines) > maxSignatures {
		return Note{}, fmt.Errorf("%w: more than %d signatures", errNote, maxSignatures)
	}
	for i, line := range lines {
		rest, ok := strings.CutPrefix(line, "— ")
		name, encoded, ok2 := strings.Cut(rest, " ")
		raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
		if !ok || !ok2 || !validName(name) || err != nil || len(raw) < 5 {
			return Note{}, fmt.Errorf("%w: line %d below the text is no signature", errNote, i+1)
		}
		n.Signatures = append(n.Signatures, Signature{Name: name, KeyID: binary.BigEndian.Uint32(raw), bytes: raw[4:]})
	}
	return n, nil
}

// verify says whether k made the signature over text, and for a cosignature when.
func (s Signature) verify(k Key, text string) (at time.Time, ok bool) {
	if k.alg == algEd25519 {
		return at, len(s.bytes) == ed25519.SignatureSize && ed25519.Verify(k.public, []byte(text), s.bytes)
	}
	if len(s.bytes) != 8+ed25519.SignatureSize {
		return at, false
	}
	unix := binary.BigEndian.Uint64(s.bytes)
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", unix, text)
	if unix > 1<<40 || !ed25519.Verify(k.public, []byte(signed), s.bytes[8:]) {
		return at, false
	}
	return time.Unix(int64(unix), 0).UTC(), true
}
