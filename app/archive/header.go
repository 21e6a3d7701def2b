package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Format is what the first member of every header says.
const Format = "strata-archive-1"

// Limits of a segment. A reader refuses more, whatever a header promises, so that
// no object makes it use more memory than these.
const (
	MaxEvents      = 10_000
	MaxEventBytes  = 8 << 20             // of events' lines before the last one: where a writer cuts
	MaxLineBytes   = 1<<20 + 16<<10      // the largest event of the log, its names and numbers
	maxRawBytes    = 10 << 20            // of a segment unpacked: header, MaxEventBytes, and one line more
	MaxObjectBytes = maxRawBytes + 1<<20 // of a segment packed: what does not shrink grows a little
)

// Link names a segment by its content.
type Link struct {
	Epoch  int   `json:"epoch"`
	First  int64 `json:"first"`
	Last   int64 `json:"last"`
	SHA256 Hash  `json:"sha256"` // of the object's bytes
}

// Key is where the segment is.
func (l Link) Key() string { return SegmentKey(l.Epoch, l.First) }

// Header is a segment's first line.
type Header struct {
	Format   string `json:"format"`
	Epoch    int    `json:"epoch"`
	First    int64  `json:"first"`              // position
	Last     int64  `json:"last"`               // position
	Previous *Link  `json:"previous,omitempty"` // the segment that this one continues; nil for one that begins with position 1
	Frontier []Hash `json:"frontier"`           // of the log's Merkle tree with Last leaves
	Root     Hash   `json:"root"`               // of that tree
}

func (h Header) line() ([]byte, error) { return json.Marshal(h) }

// parseHeader reads a header in the one spelling there is, and checks what it says
// about itself.
func parseHeader(line []byte) (h Header, err error) {
	if err := json.Unmarshal(line, &h); err != nil {
		return h, fmt.Errorf("the first line is no header: %w", err)
	}
	if again, err := h.line(); err != nil || !bytes.Equal(again, line) {
		return h, errors.Join(errSpelling, err)
	}
	if h.Format != Format {
		return h, fmt.Errorf("format %q: this release reads %q", h.Format, Format)
	}
	if h.Epoch < 1 || h.First < 1 || h.Last < h.First || h.Last-h.First >= MaxEvents {
		return h, fmt.Errorf("it cannot hold positions %d to %d of epoch %d", h.First, h.Last, h.Epoch)
	}
	p := h.Previous
	switch {
	case (p == nil) != (h.First == 1):
		return h, errors.New("a segment names the one before it unless it begins with position 1")
	case p != nil && (p.Epoch < 1 || p.Epoch > h.Epoch || p.First < 1 || p.First >= h.First || p.Last < h.First-1):
		return h, fmt.Errorf("it cannot continue positions %d to %d of epoch %d", p.First, p.Last, p.Epoch)
	case p != nil && p.Epoch == h.Epoch && p.Last != h.First-1:
		return h, fmt.Errorf("between it and the segment before it, which ends with position %d, there is something missing or twice", p.Last)
	}
	tree, err := NewFrontier(h.Last, h.Frontier)
	if err != nil {
		return h, err
	}
	if tree.Root() != h.Root {
		return h, errors.New("frontier and root of the header do not belong together")
	}
	return h, nil
}
