package verifier

import (
	"errors"
	"fmt"
	"strings"
)

// Memory is what a verifier has seen of a log before: signed checkpoints, kept
// where nobody who can change the log can change them. With several of them it
// can say more closely where the log departs from what was seen.
type Memory struct {
	notes []remembered // ascending by epoch and size
}

type remembered struct {
	checkpoint Checkpoint
	signed     string
}

// maxRemembered is how many checkpoints a memory keeps; older ones are thinned
// out, the first and the last stay.
const maxRemembered = 64

// ErrOlder says that what is shown is older than what was seen before.
var ErrOlder = errors.New("it is older than what was seen before")

const memoryTitle = "# Checkpoints that strata verify has seen. Keep this file where nobody who can change the log can change it.\n"

// memorySeparator is between two notes; no line of a checkpoint is one.
const memorySeparator = "----\n"

// ParseMemory reads what Memory.String writes; nothing is an empty memory. Every
// checkpoint in it must be signed by who t trusts: a witness's word of then is
// not asked for again.
func ParseMemory(text string, t Trust) (*Memory, error) {
	t.Quorum = 0
	m := &Memory{}
	text = strings.TrimPrefix(text, memoryTitle)
	if strings.TrimSpace(text) == "" {
		return m, nil
	}
	if len(text) > maxRemembered*maxNote {
		return nil, errors.New("a memory of this size is none")
	}
	for i, signed := range strings.Split(text, memorySeparator) {
		c, err := OpenCheckpoint([]byte(signed), t)
		if err != nil {
			return nil, fmt.Errorf("remembered checkpoint %d: %w", i+1, err)
		}
		m.notes = append(m.notes, remembered{c, signed})
	}
	return m, nil
}

// String is the memory as a file.
func (m *Memory) String() string {
	var notes []string
	for _, n := range m.notes {
		notes = append(notes, n.signed)
	}
	return memoryTitle + strings.Join(notes, memorySeparator)
}

// Newest is the last checkpoint seen.
func (m *Memory) Newest() (Checkpoint, bool) {
	if len(m.notes) == 0 {
		return Checkpoint{}, false
	}
	return m.notes[len(m.notes)-1].checkpoint, true
}

// Heads are the checkpoints that a log of these epochs has to lead to: shared
// gives the last position that an epoch has in common with the history of now.
// What an older epoch had beyond that was left behind, and the log says so.
func (m *Memory) Heads(shared func(epoch int) int64) (heads []Head) {
	for _, n := range m.notes {
		if _, epoch := n.checkpoint.Log(); n.checkpoint.Size <= shared(max(1, epoch)) {
			heads = append(heads, Head{Checkpoint: n.checkpoint, From: "the remembered checkpoint", Outside: true})
		}
	}
	return heads
}

// Add remembers a checkpoint that was verified. It must be of the same log and
// not be older than the newest; whether it continues that is for a proof, or an
// Audit, to say.
func (m *Memory) Add(c Checkpoint, signed []byte) error {
	if newest, ok := m.Newest(); ok {
		if p := m.Continues(c); p != nil {
			return p
		}
		if newest.Origin == c.Origin && newest.Size == c.Size {
			return nil
		}
	}
	m.notes = append(m.notes, remembered{c, string(signed)})
	if len(m.notes) > maxRemembered {
		// Every second one of the older half goes: what is near stays close together.
		var kept []remembered
		for i, n := range m.notes {
			if i == 0 || i > len(m.notes)/2 || i%2 == 0 {
				kept = append(kept, n)
			}
		}
		m.notes = kept
	}
	return nil
}

// Continues says why a checkpoint cannot be what follows on the newest one: it is
// of another log, of an older epoch, smaller, or of the same size with another root.
func (m *Memory) Continues(c Checkpoint) *Problem {
	newest, ok := m.Newest()
	if !ok {
		return nil
	}
	log, epoch := c.Log()
	before, was := newest.Log()
	p := &Problem{
		Position: c.Size + 1, Check: CheckRemembered, Kind: Replayed, Where: "the remembered checkpoint",
		Expected: fmt.Sprintf("%s of size %d or more", newest.Origin, newest.Size), Found: fmt.Sprintf("%s of size %d", c.Origin, c.Size),
	}
	switch {
	case log != before:
		p.Position, p.Kind = 0, ForgedNote
		return p
	case epoch < was, epoch == was && c.Size < newest.Size:
		return p
	case epoch == was && c.Size == newest.Size && c.Root != newest.Root:
		p.Position, p.Through, p.Kind = 1, c.Size, Resigned
		if len(m.notes) > 1 {
			p.Detail = "nothing older was compared"
		}
		p.Expected, p.Found = "root "+newest.Root.String(), c.Root.String()
		return p
	}
	return nil
}
