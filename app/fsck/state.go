package fsck

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
)

// beside checks what stands beside the log in its database: each row must follow
// from the log, and what the log makes certain must have its row.
type beside struct {
	from    Beside
	cursors []Cursor
	parked  map[int64][]Parked
	history eventlog.Epochs
	epochs  map[int64]eventlog.Epoch // those of the table that the log has not confirmed yet, by first position
	timers  *timers
	imports *imports
	inbox   *inbox
}

func newBeside(from Beside) *beside { return &beside{from: from} }

// Name implements Follower.
func (b *beside) Name() string { return StateSection }

const (
	deleteRow  = "Nothing in the log explains this row: find out who wrote it, and delete it as an administrator."
	moveCursor = "The log has lost its end, or the cursor is another log's: see `strata restore` and `strata epoch`."
)

// Begin implements Follower.
func (b *beside) Begin(ctx context.Context, _ *Tally) (err error) {
	if b.cursors, err = b.from.Cursors(ctx); err != nil {
		return err
	}
	parked, err := b.from.Parked(ctx)
	if err != nil {
		return err
	}
	b.parked = map[int64][]Parked{}
	for _, p := range parked {
		b.parked[p.Position] = append(b.parked[p.Position], p)
	}
	rows, err := b.from.Timers(ctx)
	if err != nil {
		return err
	}
	b.timers = newTimers(rows, b.cursors, parked)
	runs, err := b.from.ImportRuns(ctx)
	if err != nil {
		return err
	}
	b.imports = newImports(runs)
	b.inbox = newInbox()
	if b.history, err = b.from.Epochs(ctx); err != nil {
		return err
	}
	b.epochs = map[int64]eventlog.Epoch{}
	for _, e := range b.history.All()[1:] {
		b.epochs[e.First] = e
	}
	return nil
}

// Event implements Follower.
func (b *beside) Event(_ context.Context, e *Entry, t *Tally) error {
	for _, p := range b.parked[e.Position] {
		if p.EventID != e.ID || p.StreamID != e.StreamID {
			t.Wrong(parkedWrong(p, fmt.Sprintf("The event at position %d is %s of %s.", e.Position, e.ID, e.StreamID), e.Organization()))
		}
	}
	if e.Position == 0 || e.unreadable != nil {
		return nil //nolint:nilerr // the log's own section says that it cannot be read
	}
	b.epoch(e, t)
	b.timers.event(e, t)
	b.imports.event(e)
	b.inbox.event(e)
	return nil
}

// epochStarted is the event that begins a new epoch.
const epochStarted = "journal.epoch-started"

func (b *beside) epoch(e *Entry, t *Tally) {
	row, begins := b.epochs[e.Position]
	switch {
	case begins && (e.Type != epochStarted || e.ID != row.EventID):
		t.Wrong(epochWrong(row, fmt.Sprintf("The event at position %d is %s %s: it does not begin there.", e.Position, e.Type, e.ID)))
	case !begins && e.Type == epochStarted:
		t.Wrong(Wrong{
			Kind: "missing", Table: "epochs", Position: e.Position, Stream: e.StreamID,
			Detail: "An epoch begins here by the log, and the table does not have it.", Do: "Insert the row as an administrator: the event says all of it.",
		})
	}
	delete(b.epochs, e.Position)
}

func epochWrong(row eventlog.Epoch, detail string) Wrong {
	return Wrong{
		Kind: "not explained", Table: "epochs", Key: fmt.Sprintf("number=%d", row.Number), Position: row.First, Detail: detail, Do: deleteRow,
	}
}

// End implements Follower.
func (b *beside) End(ctx context.Context, head int64, t *Tally) error {
	for _, c := range b.cursors {
		t.Checked(1, "rows")
		if err := b.history.Check("the group", eventlog.Place{Position: c.Position, Epoch: c.Epoch}, head); err != nil {
			t.Wrong(Wrong{Kind: "ahead", Table: "cursors", Key: "consumer_group=" + c.Group, Position: c.Position, Detail: err.Error(), Do: moveCursor})
		}
	}
	for position, all := range b.parked {
		t.Checked(int64(len(all)), "rows")
		for _, p := range all {
			if position > head || position < 1 {
				t.Wrong(parkedWrong(p, fmt.Sprintf("The log ends at position %d.", head), ""))
			}
		}
	}
	for _, row := range b.epochs {
		t.Wrong(epochWrong(row, fmt.Sprintf("It begins at position %d, and the log ends at %d.", row.First, head)))
	}
	b.timers.end(head, t)
	b.imports.end(head, t)
	return b.from.Inbox(ctx, func(row InboxRow) error {
		t.Checked(1, "rows")
		b.inbox.row(row, t)
		return nil
	})
}

func parkedWrong(p Parked, detail, organization string) Wrong {
	return Wrong{
		Kind: "not explained", Table: "parked", Key: fmt.Sprintf("consumer_group=%s, stream_id=%s", p.Group, p.StreamID),
		Stream: p.StreamID, Position: p.Position, Organization: organization, Detail: detail, Do: deleteRow,
	}
}

func rowKey(names []string, values ...any) (key string) {
	for i, name := range names {
		if i > 0 {
			key += ", "
		}
		key += fmt.Sprintf("%s=%v", name, values[i])
	}
	return key
}

// optional is an organization as a report names it: "" for none.
func optional(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}
