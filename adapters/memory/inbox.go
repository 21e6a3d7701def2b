package memory

import (
	"context"
	"errors"
	"sync"

	"github.com/google/uuid"

	"strata.dev/strata/app/ingest"
)

// Inbox is an inbox in memory, for unit tests only; the zero value is empty and
// ready. It is safe for concurrent use.
type Inbox struct {
	// Forget, if not nil, is asked before an entry is kept; its error is what
	// Serially returns, and nothing is kept.
	Forget func(ingest.MessageKey) error

	mu      sync.Mutex
	sources map[uuid.UUID]*inboxOf
}

type inboxOf struct {
	turn     sync.Mutex
	entries  map[string]ingest.Entry
	sequence int64
}

var _ ingest.Inbox = (*Inbox)(nil)

var errSequenceBack = errors.New("the sequence goes back")

// Serially implements ingest.Inbox.
func (i *Inbox) Serially(ctx context.Context, m ingest.MessageKey, do func(context.Context, ingest.Known) (*ingest.Entry, error)) error {
	source := i.of(m.SourceID)
	source.turn.Lock()
	defer source.turn.Unlock()
	known := ingest.Known{Sequence: source.sequence}
	if e, ok := source.entries[m.MessageID]; ok {
		known.Entry = &e
	}
	entry, err := do(ctx, known)
	if err != nil || entry == nil {
		return err
	}
	if i.Forget != nil {
		if err := i.Forget(m); err != nil {
			return err
		}
	}
	if entry.Sequence > 0 && entry.Sequence <= source.sequence {
		return errSequenceBack
	}
	source.entries[m.MessageID], source.sequence = *entry, max(source.sequence, entry.Sequence)
	return nil
}

// Len is how many messages of a source are in it.
func (i *Inbox) Len(source uuid.UUID) int {
	s := i.of(source)
	s.turn.Lock()
	defer s.turn.Unlock()
	return len(s.entries)
}

func (i *Inbox) of(source uuid.UUID) *inboxOf {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.sources == nil {
		i.sources = map[uuid.UUID]*inboxOf{}
	}
	s := i.sources[source]
	if s == nil {
		s = &inboxOf{entries: map[string]ingest.Entry{}}
		i.sources[source] = s
	}
	return s
}
