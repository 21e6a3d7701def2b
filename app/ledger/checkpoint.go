package ledger

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Checkpoint is what is signed of the tree: how large it is and its root, of one
// log (C2SP tlog-checkpoint).
type Checkpoint struct {
	Origin   string // names the log: see Origin
	Size     int64  // the leaves, which are the positions 1 to Size
	Root     Hash
	Note     []byte    // the signed note; nil before it is signed
	SignedAt time.Time // by our clock; zero if that is not known
}

// Origin names the log of an epoch: a history never forks, since a restore that
// may have lost something begins another one.
func Origin(instance string, epoch int) string { return KeyName(instance) + "/" + strconv.Itoa(epoch) }

// KeyName is what the keys of an installation are called in signatures. It has
// no epoch: keys outlive a restore.
func KeyName(instance string) string { return instance + "/log" }

// Body is the text that is signed.
func (c Checkpoint) Body() string {
	return c.Origin + "\n" + strconv.FormatInt(c.Size, 10) + "\n" + c.Root.String() + "\n"
}

// errCheckpoint begins every refusal of a text that is no checkpoint.
var errCheckpoint = errors.New("not a checkpoint")

// ParseBody reads what Body writes. Lines behind the third are extensions, which
// the standard allows and nobody here reads.
func ParseBody(text string) (Checkpoint, error) {
	lines := strings.SplitN(text, "\n", 4)
	if len(lines) != 4 || lines[0] == "" || !strings.HasSuffix(text, "\n") {
		return Checkpoint{}, fmt.Errorf("%w: it has not three lines", errCheckpoint)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return Checkpoint{}, fmt.Errorf("%w: %q is no size", errCheckpoint, lines[1])
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != len(Hash{}) {
		return Checkpoint{}, fmt.Errorf("%w: %q is no root", errCheckpoint, lines[2])
	}
	return Checkpoint{Origin: lines[0], Size: size, Root: Hash(root)}, nil
}

// ParseCheckpoint reads a signed note and looks at no signature.
func ParseCheckpoint(signed []byte) (Checkpoint, error) {
	i := strings.LastIndex(string(signed), "\n\n")
	if i < 0 {
		return Checkpoint{}, fmt.Errorf("%w: it has no signature", errCheckpoint)
	}
	c, err := ParseBody(string(signed[:i+1]))
	c.Note = signed
	return c, err
}

// ReadCheckpoint reads a signed note. At least one of its signatures is by one of
// the known keys, and none by a known key is wrong.
func ReadCheckpoint(signed []byte, known note.Verifiers) (Checkpoint, error) {
	n, err := note.Open(signed, known)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w", err)
	}
	c, err := ParseBody(n.Text)
	c.Note = signed
	return c, err
}
