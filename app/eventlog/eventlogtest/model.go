package eventlogtest

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"strata.dev/strata/app/eventlog"
)

// model is what a log must do, said as simply as possible.
type model struct {
	streams  map[string][]eventlog.NewEvent
	owners   map[string]uuid.UUID
	commands map[uuid.UUID]eventlog.Command
	receipts map[uuid.UUID]eventlog.Receipt
	head     int64
}

// want is the answer the model gives; nil means a receipt.
func (m *model) want(cmd eventlog.Command) (replayed bool, err error) {
	if first, ok := m.commands[cmd.ID]; ok {
		if first.OrganizationID != cmd.OrganizationID || !bytes.Equal(first.Hash, cmd.Hash) {
			return false, eventlog.ErrCommandReused
		}
		return true, nil
	}
	if owner, ok := m.owners[cmd.StreamID]; ok && owner != cmd.OrganizationID {
		return false, eventlog.ErrForeignStream
	}
	if int64(len(m.streams[cmd.StreamID])) != cmd.ExpectedVersion {
		return false, eventlog.ErrWrongVersion
	}
	return false, nil
}

// testModel does anything in any order, one after the other, and compares.
func testModel(t *testing.T, log eventlog.Log) {
	ctx := t.Context()
	rapid.Check(t, func(t *rapid.T) {
		head, err := log.Head(ctx)
		if err != nil {
			t.Fatal(err)
		}
		start := head
		m := &model{
			streams: map[string][]eventlog.NewEvent{}, owners: map[string]uuid.UUID{}, head: head,
			commands: map[uuid.UUID]eventlog.Command{}, receipts: map[uuid.UUID]eventlog.Receipt{},
		}
		organizations := []uuid.UUID{uuid.New(), uuid.New()}
		streams := []string{stream(), stream(), stream()}
		var ids []uuid.UUID
		bodies := [][]byte{hash("a"), hash("b")}

		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			s := rapid.SampledFrom(streams).Draw(t, "stream")
			owner, ok := m.owners[s]
			if !ok || rapid.IntRange(0, 9).Draw(t, "foreigner") == 0 {
				owner = rapid.SampledFrom(organizations).Draw(t, "organization")
			}
			expected := int64(len(m.streams[s]))
			if rapid.IntRange(0, 3).Draw(t, "mistaken") == 0 {
				expected = rapid.Int64Range(0, expected+2).Draw(t, "expected")
			}
			cmd := Command(owner, s, expected, rapid.IntRange(1, 4).Draw(t, "events"))
			cmd.Hash = rapid.SampledFrom(bodies).Draw(t, "body")
			if len(ids) > 0 && rapid.IntRange(0, 3).Draw(t, "repeats") == 0 {
				cmd.ID = rapid.SampledFrom(ids).Draw(t, "id")
			}
			ids = append(ids, cmd.ID)
			m.step(ctx, t, log, cmd)
		}
		m.compare(ctx, t, log, start)
	})
}

func (m *model) step(ctx context.Context, t *rapid.T, log eventlog.Log, cmd eventlog.Command) {
	replayed, want := m.want(cmd)
	got, err := log.Append(ctx, cmd)
	if !errors.Is(err, want) {
		t.Fatalf("%s at %d: %v, want %v", cmd.StreamID, cmd.ExpectedVersion, err, want)
	}
	if err != nil {
		return
	}
	if got.Replayed != replayed {
		t.Fatalf("replayed %v, want %v", got.Replayed, replayed)
	}
	if replayed {
		first := m.receipts[cmd.ID]
		if got.FirstPosition != first.FirstPosition || got.Position != first.Position || got.Version != first.Version || got.EventIDs[0] != first.EventIDs[0] {
			t.Fatalf("replay gave %+v, first was %+v", got, first)
		}
		return
	}
	n := int64(len(cmd.Events))
	if got.FirstPosition != m.head+1 || got.Position != m.head+n || got.Version != cmd.ExpectedVersion+n {
		t.Fatalf("got %+v with the head at %d", got, m.head)
	}
	m.head += n
	m.owners[cmd.StreamID], m.commands[cmd.ID], m.receipts[cmd.ID] = cmd.OrganizationID, cmd, got
	m.streams[cmd.StreamID] = append(m.streams[cmd.StreamID], cmd.Events...)
}

func (m *model) compare(ctx context.Context, t *rapid.T, log eventlog.Log, start int64) {
	events, err := log.Read(ctx, start, 1000)
	if err != nil || int64(len(events)) != m.head-start {
		t.Fatalf("%d new events, %v; want %d", len(events), err, m.head-start)
	}
	for name, want := range m.streams {
		got, err := log.ReadStream(ctx, m.owners[name], name, 0, 0)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%s has %d events, %v; want %d", name, len(got), err, len(want))
		}
		for i, e := range got {
			if e.ID != want[i].ID || !bytes.Equal(e.Data, want[i].Data) || e.Version != int64(i)+1 {
				t.Fatalf("%s: event %d is %+v, want %+v", name, i, e, want[i])
			}
		}
	}
	for id, want := range m.receipts {
		if got, _, ok, err := log.FindCommand(ctx, id); err != nil || !ok || got.Position != want.Position {
			t.Fatalf("command %s: %+v, %v, %v; want %+v", id, got, ok, err, want)
		}
	}
}
