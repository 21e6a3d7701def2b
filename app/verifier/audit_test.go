package verifier

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// history is a log of n events: two organizations, three streams.
func history(n int) (events []Event) {
	sequences, versions := map[UUID]int64{}, map[string]int64{}
	for i := range n {
		organization := UUID{15: byte(1 + i%2)}
		stream := fmt.Sprintf("strategy-%d-%d", i%2, i%3)
		sequences[organization]++
		versions[stream]++
		events = append(events, Event{
			Position: int64(i + 1), Sequence: sequences[organization], Version: versions[stream], Schema: 1, RecordedAt: int64(1_000_000 * i),
			Organization: organization, ID: UUID{0: 1, 14: byte(i >> 8), 15: byte(i)}, CommandID: UUID{0: 2, 14: byte(i >> 8), 15: byte(i)},
			Stream: stream, Type: "strategy.changed", Data: fmt.Appendf(nil, `{"n":%d}`, i), Metadata: []byte(`{}`), CommandHash: make([]byte, 32),
		})
	}
	return events
}

func heads(leaves []Hash, sizes ...int64) (found []Head) {
	var tree Tree
	for i, h := range leaves {
		tree.Append(h)
		if slices.Contains(sizes, int64(i+1)) {
			found = append(found, Head{Checkpoint: Checkpoint{Origin: "strata.example/log/1", Size: int64(i + 1), Root: tree.Root()}, From: "the database"})
		}
	}
	return found
}

func tileRecord(leaves []Hash) Record {
	var read int
	return Record{Name: "the ledger's tiles", Check: CheckTile, Kind: TileEdited, Leaves: tilesFrom(tilesOf(leaves), &read).Leaves(int64(len(leaves)))}
}

// audit takes the events in pages, as they come from a database.
func audit(t *testing.T, events []Event, heads []Head, records ...Record) *Problem {
	t.Helper()
	a := NewAudit(&Tree{}, heads, records...)
	for page := range slices.Chunk(events, 7) {
		if err := a.Take(t.Context(), page); err != nil {
			t.Fatal(err)
		}
	}
	p, err := a.Finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func renumber(events []Event) []Event {
	sequences, versions := map[UUID]int64{}, map[string]int64{}
	for i := range events {
		e := &events[i]
		sequences[e.Organization]++
		versions[e.Stream]++
		e.Position, e.Sequence, e.Version = int64(i+1), sequences[e.Organization], versions[e.Stream]
	}
	return events
}

func TestAuditNamesTheFirstBadPositionAndWhatWasDone(t *testing.T) {
	const n = 300
	for _, c := range []struct {
		name        string
		change      func(e []Event) []Event
		position    int64
		check, kind string
	}{
		{"nothing", func(e []Event) []Event { return e }, 0, "", ""},
		{"a row's data", func(e []Event) []Event { e[122].Data = []byte(`{"n":0}`); return e }, 123, CheckLeaf, Edited},
		{"a row's time", func(e []Event) []Event { e[122].RecordedAt++; return e }, 123, CheckLeaf, Edited},
		{"the last row", func(e []Event) []Event { e[n-1].Type = "strategy.other"; return e }, n, CheckLeaf, Edited},
		{"the first row", func(e []Event) []Event { e[0].Metadata = []byte(`{"a":1}`); return e }, 1, CheckLeaf, Edited},
		{"two rows", func(e []Event) []Event { e[7].Schema, e[200].Schema = 2, 2; return e }, 8, CheckLeaf, Edited},
		{"neighbors swapped by position", func(e []Event) []Event {
			e[40], e[41] = e[41], e[40]
			e[40].Position, e[41].Position = 41, 42
			return e
		}, 41, CheckLeaf, Swapped},
		{"distant ones swapped", func(e []Event) []Event {
			e[40], e[270] = e[270], e[40]
			e[40].Position, e[270].Position = 41, 271
			return e
		}, 41, CheckLeaf, Swapped},
		{"distant ones swapped, numbered anew", func(e []Event) []Event {
			e[40], e[46] = e[46], e[40] // of one organization and one stream
			return renumber(e)
		}, 41, CheckLeaf, Swapped},
		{"contents swapped", func(e []Event) []Event { e[40].Data, e[100].Data = e[100].Data, e[40].Data; return e }, 41, CheckLeaf, Swapped},
		{"one inserted, numbered anew", func(e []Event) []Event {
			more := e[99]
			more.ID, more.CommandID, more.Data = UUID{1: 9}, UUID{1: 9}, []byte(`{"n":"more"}`)
			return renumber(slices.Insert(e, 100, more))
		}, 101, CheckLeaf, Inserted},
		{"one taken out, numbered anew", func(e []Event) []Event { return renumber(slices.Delete(e, 100, 101)) }, 101, CheckLeaf, Removed},
		{"one taken out", func(e []Event) []Event { return slices.Delete(e, 100, 101) }, 101, CheckPosition, Removed},
		{"the end taken away", func(e []Event) []Event { return e[:250] }, 251, CheckPosition, Truncated},
		{"the end written again", func(e []Event) []Event {
			for i := 250; i < n; i++ {
				e[i].Data, e[i].ID = []byte(`{"n":"other"}`), UUID{2: 1, 14: byte(i >> 8), 15: byte(i)}
			}
			return e
		}, 251, CheckLeaf, Rewritten},
		{"the end written again, and shorter", func(e []Event) []Event {
			for i := 250; i < n; i++ {
				e[i].Data = []byte(`{"n":"other"}`)
			}
			return e[:260]
		}, 251, CheckLeaf, Rewritten},
		{"all of it taken away", func([]Event) []Event { return nil }, 1, CheckPosition, Truncated},
	} {
		t.Run(c.name, func(t *testing.T) {
			leaves := HashEvents(history(n))
			events := c.change(history(n))
			p := audit(t, events, heads(leaves, 10, 120, 251, n), tileRecord(leaves))
			if c.position == 0 {
				if p != nil {
					t.Errorf("an untouched log: %v", p)
				}
				return
			}
			if p == nil {
				t.Fatal("nothing was found")
			}
			if p.Position != c.position || p.Through != 0 || p.Check != c.check || p.Kind != c.kind {
				t.Errorf("found %v", p)
			}
			if p.Check == CheckLeaf {
				at := events[c.position-1]
				if p.Expected != leaves[c.position-1].String() || p.Found != at.Leaf().String() || p.EventID != at.ID.String() || p.Stream != at.Stream {
					t.Errorf("found %v", p)
				}
			}
		})
	}
}

// What fits the tiles and contradicts what was signed is between two checkpoints;
// with another record, such as the archive, it is at its place.
func TestAuditOfEventsAndTilesThatWereBothChanged(t *testing.T) {
	const n = 300
	before := HashEvents(history(n))
	events := history(n)
	events[122].Data = []byte(`{"n":0}`)
	after := HashEvents(events)

	p := audit(t, events, heads(before, 10, 120, 251, n), tileRecord(after))
	if p == nil || p.Position != 121 || p.Through != 251 || p.Check != CheckRoot || p.Kind != Resealed || !strings.Contains(p.Expected, heads(before, 251)[0].Root.String()) {
		t.Errorf("found %v", p)
	}
	archive := tileRecord(before)
	archive.Name, archive.Check, archive.Kind = "the archive", CheckArchive, ArchiveSwap
	p = audit(t, events, heads(before, 10, 120, 251, n), tileRecord(after), archive)
	if p == nil || p.Position != 123 || p.Through != 0 || p.Kind != Edited || p.Where != "the archive" || p.Expected != before[122].String() {
		t.Errorf("found %v", p)
	}
	// Signed again with a stolen key: what was remembered outside says otherwise.
	outside := heads(before, 100, 200)
	for i := range outside {
		outside[i].From, outside[i].Outside = "the remembered checkpoint", true
	}
	p = audit(t, events, append(heads(after, 10, 120, 150, 251, n), outside...), tileRecord(after))
	if p == nil || p.Position != 101 || p.Through != 200 || p.Check != CheckRoot || p.Kind != Resigned || p.Where != "the remembered checkpoint" {
		t.Errorf("found %v", p)
	}
	// Nothing outside, and all of it signed again: that looks like a log.
	if p := audit(t, events, heads(after, 10, 120, 251, n), tileRecord(after)); p != nil {
		t.Errorf("found %v", p)
	}
}

func TestAuditBlamesTheRecordThatContradictsWhatWasSigned(t *testing.T) {
	const n = 300
	events := history(n)
	leaves := HashEvents(events)
	other := slices.Clone(leaves)
	other[122][0] ^= 1
	p := audit(t, events, heads(leaves, 10, 120, 251, n), tileRecord(other))
	if p == nil || p.Position != 123 || p.Check != CheckTile || p.Kind != TileEdited || p.Expected != leaves[122].String() || p.Found != other[122].String() {
		t.Errorf("found %v", p)
	}
}

func TestAuditOfARange(t *testing.T) {
	const n = 1_000
	events := history(n)
	leaves := HashEvents(events)
	var read int
	levels := tilesOf(leaves)
	tiles := tilesFrom(levels, &read)
	newest := heads(leaves, n)[0]
	run := func(from, to int64, events []Event) *Problem {
		base, err := tiles.Tree(t.Context(), from-1)
		if err != nil {
			t.Fatal(err)
		}
		record := tileRecord(nil)
		record.Leaves = tiles.Leaves(n)
		a := NewAudit(base, heads(leaves, 10, 300), record)
		for page := range slices.Chunk(events[from-1:to], 100) {
			if err := a.Take(t.Context(), page); err != nil {
				t.Fatal(err)
			}
		}
		p, err := a.FinishRange(t.Context(), tiles, newest)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, span := range [][2]int64{{1, 1}, {1, 256}, {200, 300}, {257, 512}, {513, 513}, {999, 1_000}, {1_000, 1_000}, {1, 1_000}} {
		if p := run(span[0], span[1], events); p != nil {
			t.Errorf("%v: %v", span, p)
		}
	}
	changed := slices.Clone(events)
	changed[599].Data = []byte(`{}`)
	if p := run(550, 700, changed); p == nil || p.Position != 600 || p.Kind != Edited || p.Check != CheckLeaf {
		t.Errorf("found %v", p)
	}
	// A change outside of the range, with its tile: the range cannot say where, only that.
	levels[0] = slices.Clone(leaves)
	levels[0][900][0] ^= 1
	if p := run(550, 700, events); p == nil || p.Check != CheckRoot || p.Position > 901 || p.Through < 901 {
		t.Errorf("found %v", p)
	}
}

func TestLogChecksTheOrder(t *testing.T) {
	for _, c := range []struct {
		check  string
		change func(e *Event, before []Event)
	}{
		{CheckPosition, func(e *Event, _ []Event) { e.Position++ }},
		{CheckPosition, func(e *Event, _ []Event) { e.Position-- }},
		{CheckSequence, func(e *Event, _ []Event) { e.Sequence++ }},
		{CheckSequence, func(e *Event, _ []Event) { e.Organization = UUID{1: 1} }},
		{CheckVersion, func(e *Event, _ []Event) { e.Version-- }},
		{CheckVersion, func(e *Event, before []Event) { e.Stream = "strategy-9-9" }},
		{CheckTime, func(e *Event, before []Event) { e.RecordedAt = before[len(before)-1].RecordedAt - 1 }},
		{CheckEvent, func(e *Event, before []Event) { e.ID = before[3].ID }},
		{CheckCommand, func(e *Event, before []Event) { e.CommandID = before[3].CommandID }},
		{CheckFormat, func(e *Event, _ []Event) { e.CommandHash = nil }},
	} {
		t.Run(c.check, func(t *testing.T) {
			events := history(20)
			c.change(&events[15], events[:15])
			l := NewLog(0)
			for i := range events[:15] {
				if p := l.Add(&events[i]); p != nil {
					t.Fatal(p)
				}
			}
			if p := l.Add(&events[15]); p == nil || p.Check != c.check || p.Position > 16 || p.EventID != events[15].ID.String() {
				t.Errorf("found %v", p)
			}
		})
	}
}

func TestAuditSaysWhatCannotBeRead(t *testing.T) {
	record := Record{Name: "the tiles", Leaves: func(context.Context, int64, int) ([]Hash, error) { return nil, fmt.Errorf("gone") }}
	a := NewAudit(&Tree{}, nil, record)
	if err := a.Take(t.Context(), history(3)); err == nil || !strings.Contains(err.Error(), "the tiles at position 1: gone") {
		t.Errorf("%v", err)
	}
}
