package fsck

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// numbers checks the log by itself: what its table's constraints and the append
// lane promise, read back from what is stored.
type numbers struct {
	position  int64
	at        time.Time
	sequences map[uuid.UUID]int64
	streams   map[string]place
}

// place is where a stream is.
type place struct {
	organization uuid.UUID
	version      int64
}

func newNumbers() *numbers {
	return &numbers{sequences: map[uuid.UUID]int64{}, streams: map[string]place{}}
}

const (
	restoreLog  = "Somebody changed the log past the service, or its disk did. Stop appends, find the first bad position with `strata verify`, and restore the log from the archive (strata restore log)."
	upgradeLog  = "Run the release that wrote it or a newer one."
	compareLogs = "Compare the event with the archive (strata archive verify); restore the log if they differ."
)

// Name implements Follower.
func (n *numbers) Name() string { return LogSection }

// Begin implements Follower.
func (n *numbers) Begin(context.Context, *Tally) error { return nil }

// Event implements Follower.
func (n *numbers) Event(_ context.Context, e *Entry, t *Tally) error {
	t.Checked(1, "events")
	if want := n.position + 1; e.Position != want {
		w := e.wrong("gap", fmt.Sprintf("Position %d follows position %d.", e.Position, n.position), restoreLog)
		w.Organization = "" // whose event is missing is not known
		t.Wrong(w)
	}
	n.position = e.Position
	if want := n.sequences[e.OrganizationID] + 1; e.OrganizationSequence != want {
		t.Wrong(e.wrong("sequence", fmt.Sprintf("It has sequence %d of its organization, and %d is next.", e.OrganizationSequence, want), restoreLog))
	}
	n.sequences[e.OrganizationID] = e.OrganizationSequence
	n.stream(e, t)
	n.content(e, t)
	if e.RecordedAt.Before(n.at) {
		t.Wrong(e.wrong("time", fmt.Sprintf("It was recorded at %s, before the event in front of it (%s).", stamp(e.RecordedAt), stamp(n.at)), restoreLog))
	}
	n.at = e.RecordedAt
	return nil
}

func (n *numbers) stream(e *Entry, t *Tally) {
	at, known := n.streams[e.StreamID]
	if known && at.organization != e.OrganizationID {
		t.Wrong(e.wrong("stream", fmt.Sprintf("The stream belongs to organization %s.", at.organization), restoreLog))
	}
	if want := at.version + 1; e.Version != want {
		t.Wrong(e.wrong("version", fmt.Sprintf("It has version %d of its stream, and %d is next.", e.Version, want), restoreLog))
	}
	if !known {
		at.organization = e.OrganizationID
	}
	at.version = e.Version
	n.streams[e.StreamID] = at
}

func (n *numbers) content(e *Entry, t *Tally) {
	switch {
	case e.unreadable != nil:
		t.Wrong(e.wrong("unreadable", fmt.Sprintf("This release cannot read it: %v", e.unreadable), upgradeLog+" "+compareLogs))
	case e.loose:
		t.Wrong(e.wrong("not canonical", "Its data or metadata is not canonical JSON (RFC 8785): nothing of Strata wrote it so.", compareLogs))
	}
	if (e.CommandID == uuid.Nil) != (len(e.CommandHash) == 0) || len(e.CommandHash) > 0 && len(e.CommandHash) != sha256.Size {
		t.Wrong(e.wrong("command", fmt.Sprintf("Command id %s has a hash of %d bytes.", e.CommandID, len(e.CommandHash)), compareLogs))
	}
	// The command that metadata names may be another: a request of many items has an id, and each item one of its own.
}

// End implements Follower.
func (n *numbers) End(context.Context, int64, *Tally) error { return nil }

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
