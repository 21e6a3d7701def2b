package verifier

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Checkpoint is what a log signs: how long it is, and the root over all of it.
type Checkpoint struct {
	Origin     string // the log's name
	Size       int64  // positions 1 to Size
	Root       Hash
	Extensions []string

	SignedBy []string      // names of the trusted keys that signed it
	Seen     []Cosignature // of trusted witnesses
}

// Cosignature is a witness's word that it has seen the checkpoint, and that the
// log has only grown since the one it saw before.
type Cosignature struct {
	Witness string    `json:"witness"`
	At      time.Time `json:"at"`
}

// Log is the origin without the number of its epoch, and that number: a log that
// was restored from an older copy goes on under the next one. 0 means that the
// origin names none.
func (c Checkpoint) Log() (name string, epoch int) { return splitOrigin(c.Origin) }

func splitOrigin(origin string) (string, int) {
	i := strings.LastIndexByte(origin, '/')
	if i < 0 {
		return origin, 0
	}
	n, err := strconv.Atoi(origin[i+1:])
	if err != nil || n < 1 || strconv.Itoa(n) != origin[i+1:] {
		return origin, 0
	}
	return origin[:i], n
}

// Trust is whose word counts.
type Trust struct {
	Log       []Key // the log's keys: one of them must have signed
	Witnesses []Key // witnesses' keys
	Quorum    int   // how many of the witnesses must have cosigned
}

// The ways a checkpoint is not to be believed.
var (
	ErrUnsigned = errors.New("no key that is trusted has signed it")
	ErrForged   = errors.New("a signature is not of the key it names")
	ErrQuorum   = errors.New("too few of the trusted witnesses have cosigned it")
)

// ParseCheckpoint reads the text of a checkpoint. It says nothing about who signed it.
func ParseCheckpoint(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 || lines[len(lines)-1] != "" {
		return Checkpoint{}, errors.New("a checkpoint has three lines at least: origin, size and root")
	}
	c := Checkpoint{Origin: lines[0], Extensions: lines[3 : len(lines)-1]}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return Checkpoint{}, fmt.Errorf("%.40q is no size of a log", lines[1])
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != len(c.Root) {
		return Checkpoint{}, fmt.Errorf("%.80q is no root: base64 of 32 bytes", lines[2])
	}
	c.Size = size
	copy(c.Root[:], root)
	if c.Origin == "" {
		return Checkpoint{}, errors.New("a checkpoint names its log in the first line")
	}
	for i, x := range c.Extensions {
		if x == "" {
			return Checkpoint{}, fmt.Errorf("line %d is empty", 4+i)
		}
	}
	return c, nil
}

// OpenCheckpoint reads a signed checkpoint and believes it as far as t goes: a
// key of the log has signed it under the log's own name, no line that names a
// trusted key is false, and enough witnesses have cosigned. Signatures of
// others are passed over.
func OpenCheckpoint(signed []byte, t Trust) (Checkpoint, error) {
	n, err := ParseNote(signed)
	if err != nil {
		return Checkpoint{}, err
	}
	c, err := ParseCheckpoint(n.Text)
	if err != nil {
		return Checkpoint{}, err
	}
	witnesses := map[string]bool{}
	for _, s := range n.Signatures {
		for _, k := range t.Log {
			if !c.mayBeSignedBy(k, s) {
				continue
			}
			if _, ok := s.verify(k, n.Text); !ok {
				return Checkpoint{}, fmt.Errorf("%w: %s, size %d", ErrForged, s.Name, c.Size)
			}
			c.SignedBy = append(c.SignedBy, s.Name)
		}
		for _, k := range t.Witnesses {
			if s.Name != k.Name || s.KeyID != k.ID() {
				continue
			}
			at, ok := s.verify(k, n.Text)
			if !ok {
				return Checkpoint{}, fmt.Errorf("%w: witness %s, size %d", ErrForged, s.Name, c.Size)
			}
			witnesses[k.String()] = true
			c.Seen = append(c.Seen, Cosignature{Witness: k.Name, At: at})
		}
	}
	switch {
	case len(c.SignedBy) == 0:
		return Checkpoint{}, fmt.Errorf("%w: checkpoint %s of size %d", ErrUnsigned, c.Origin, c.Size)
	case len(witnesses) < t.Quorum:
		return Checkpoint{}, fmt.Errorf("%w: %d of %d, size %d", ErrQuorum, len(witnesses), t.Quorum, c.Size)
	}
	return c, nil
}

// mayBeSignedBy says whether a line names the key, and the key is this log's: keys
// are named like the origin, with or without the number of the epoch.
func (c Checkpoint) mayBeSignedBy(k Key, s Signature) bool {
	log, _ := c.Log()
	return !k.Witness() && s.Name == k.Name && s.KeyID == k.ID() && (k.Name == c.Origin || k.Name == log)
}
