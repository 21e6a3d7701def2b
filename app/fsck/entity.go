package fsck

import (
	"crypto/sha256"
	"fmt"

	"strata.dev/strata/app/eventlog"
)

// Entity is a stream that is folded event by event. The zero value is none: make
// it with NewEntity. Not for concurrent use.
type Entity struct {
	streamID string
	state    aggregate
	version  int64
}

// NewEntity is a stream before its first event; ok is false for a kind of stream
// that there is none of.
func NewEntity(streamID string) (e *Entity, ok bool) {
	state, ok := newAggregate(streamID)
	return &Entity{streamID: streamID, state: state}, ok
}

// Add folds the stream's next event. It refuses one of another stream or version,
// and one that this release or the aggregate cannot read; the state is then as
// before.
func (e *Entity) Add(event eventlog.Event) error {
	if event.StreamID != e.streamID || event.Version != e.version+1 {
		return fmt.Errorf("%s is at version %d, and version %d of %s follows", e.streamID, e.version, event.Version, event.StreamID)
	}
	read := decodeOnly(event)
	err := read.unreadable
	if err == nil {
		e.state, err = e.state.apply(read.By, read.Body)
	}
	if err != nil {
		return fmt.Errorf("%s: version %d: %w", e.streamID, event.Version, err)
	}
	e.version = event.Version
	return nil
}

// State is what the aggregate makes of the events: the domain's State of its kind,
// or for a journal the number of its events.
func (e *Entity) State() any { return e.state.state() }

// Version is that of the last event, 0 before the first.
func (e *Entity) Version() int64 { return e.version }

// Digest is that of the state.
func (e *Entity) Digest() [sha256.Size]byte { return Digest(e.state.state()) }
