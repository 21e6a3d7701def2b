package eventlogtest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
)

func testEmpty(t *testing.T, log eventlog.Log) {
	if events := all(t, log); len(events) != 0 {
		t.Errorf("an empty log has %d events", len(events))
	}
	if events := readStream(t, log, uuid.New(), stream()); len(events) != 0 {
		t.Errorf("an unknown stream has %d events", len(events))
	}
	if r, hash, ok, err := log.FindCommand(t.Context(), uuid.New()); ok || err != nil {
		t.Errorf("an unknown command was found: %v, %x, %v", r, hash, err)
	}
}

func testRoundTrip(t *testing.T, log eventlog.Log) {
	before := time.Now()
	cmd := Command(uuid.New(), stream(), 0, 3)
	cmd.Events[0].Data = []byte(`{ "z":1.50, "a":"e\u0301", "a":9007199254740993 }`) // not canonical: nobody may tidy up
	cmd.Events[0].Metadata = []byte("\x00\xff\xfe not even text")
	cmd.Events[1].Data, cmd.Events[1].Metadata = []byte(""), []byte(`{}`)
	cmd.Events[1].Type, cmd.Events[1].SchemaVersion = "strategy.approval-given", 7
	events := slices.Clone(cmd.Events) // a log that changes what it is given changes no more than its own
	receipt := mustAppend(t, log, cmd)

	at := receipt.RecordedAt
	if at.Location() != time.UTC || at != at.Truncate(time.Microsecond) || at.Before(before.Add(-time.Minute)) || at.After(time.Now().Add(time.Minute)) {
		t.Errorf("recorded at %v, want UTC, whole microseconds, now", at)
	}
	ids := []uuid.UUID{events[0].ID, events[1].ID, events[2].ID}
	equal(t, "receipt", receipt, eventlog.Receipt{
		StreamID: cmd.StreamID, FirstPosition: 1, Position: 3, Version: 3, EventIDs: ids, RecordedAt: at,
	})
	var want []eventlog.Event
	for i, e := range events {
		n := int64(i + 1)
		want = append(want, eventlog.Event{
			Position: n, OrganizationID: cmd.OrganizationID, OrganizationSequence: n, StreamID: cmd.StreamID, Version: n,
			ID: e.ID, Type: e.Type, SchemaVersion: e.SchemaVersion, Data: e.Data, Metadata: e.Metadata, RecordedAt: at,
		})
	}
	want[0].CommandID, want[0].CommandHash = cmd.ID, cmd.Hash
	equal(t, "log", all(t, log), want)
	equal(t, "stream", readStream(t, log, cmd.OrganizationID, cmd.StreamID), want)

	found, hash, ok, err := log.FindCommand(t.Context(), cmd.ID)
	if err != nil || !ok || !bytes.Equal(hash, cmd.Hash) {
		t.Fatalf("find command: %v, hash %x, %v", ok, hash, err)
	}
	receipt.Replayed = true
	equal(t, "found receipt", found, receipt)
}

func testAliasing(t *testing.T, log eventlog.Log) {
	cmd := Command(uuid.New(), stream(), 0, 1)
	data, hash := bytes.Clone(cmd.Events[0].Data), bytes.Clone(cmd.Hash)
	receipt := mustAppend(t, log, cmd)
	clear(cmd.Events[0].Data)
	clear(cmd.Hash)
	clear(receipt.EventIDs)
	read := all(t, log)
	clear(read[0].Data)
	e := all(t, log)[0]
	if !bytes.Equal(e.Data, data) || !bytes.Equal(e.CommandHash, hash) {
		t.Errorf("the log's bytes changed with the caller's: data %q, hash %x", e.Data, e.CommandHash)
	}
	if found, _, _, err := log.FindCommand(t.Context(), cmd.ID); err != nil || found.EventIDs[0] != cmd.Events[0].ID {
		t.Errorf("the log's receipt changed with the caller's: %v, %v", found.EventIDs, err)
	}
}

func testManyEvents(t *testing.T, log eventlog.Log) {
	organization, a, b := uuid.New(), stream(), stream()
	first := mustAppend(t, log, Command(organization, a, 0, 5))
	second := mustAppend(t, log, Command(organization, b, 0, eventlog.MaxEventsPerCommand))
	third := mustAppend(t, log, Command(organization, a, 5, 2))
	for i, r := range []struct {
		eventlog.Receipt
		first, last, version int64
	}{{first, 1, 5, 5}, {second, 6, 1005, 1000}, {third, 1006, 1007, 7}} {
		if r.FirstPosition != r.first || r.Position != r.last || r.Version != r.version {
			t.Errorf("command %d is at %d–%d, version %d; want %d–%d, %d", i, r.FirstPosition, r.Position, r.Version, r.first, r.last, r.version)
		}
		if int64(len(r.EventIDs)) != r.last-r.first+1 {
			t.Errorf("command %d has %d event ids", i, len(r.EventIDs))
		}
	}
	commands := 0
	for _, e := range all(t, log) {
		if e.CommandID != uuid.Nil {
			commands++
		}
		if (e.CommandID == uuid.Nil) != (len(e.CommandHash) == 0) {
			t.Errorf("position %d: command id %s with hash %x", e.Position, e.CommandID, e.CommandHash)
		}
	}
	if commands != 3 {
		t.Errorf("%d events carry a command id, want the first of each of 3 commands", commands)
	}
	for _, want := range []eventlog.Receipt{first, second, third} { // also with neighbours right behind
		cmd := eventlog.Command{}
		for _, e := range all(t, log) {
			if e.Position == want.FirstPosition {
				cmd.ID = e.CommandID
			}
		}
		want.Replayed = true
		found, _, ok, err := log.FindCommand(t.Context(), cmd.ID)
		if !ok || err != nil {
			t.Fatalf("find command: %v, %v", ok, err)
		}
		equal(t, "found receipt", found, want)
	}
}

func testRecordedAt(t *testing.T, log eventlog.Log) {
	organization := uuid.New()
	results := together(t.Context(), 32, func(ctx context.Context, _ int) error {
		for range 5 {
			if _, err := log.Append(ctx, Command(organization, stream(), 0, 2)); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(results...); err != nil {
		t.Fatal(err)
	}
	if events := all(t, log); len(events) != 320 { // all checks the times
		t.Errorf("%d events, want 320", len(events))
	}
}

func testWrongVersion(t *testing.T, log eventlog.Log) {
	organization, s := uuid.New(), stream()
	mustAppend(t, log, Command(organization, s, 0, 3))
	for _, c := range []struct {
		stream           string
		expected, actual int64
	}{{s, 0, 3}, {s, 2, 3}, {s, 4, 3}, {s, 1 << 40, 3}, {stream(), 1, 0}} {
		_, err := log.Append(t.Context(), Command(organization, c.stream, c.expected, 1))
		var wrong *eventlog.VersionError
		if !errors.Is(err, eventlog.ErrWrongVersion) || !errors.As(err, &wrong) {
			t.Errorf("version %d where %d is: %v, want ErrWrongVersion", c.expected, c.actual, err)
			continue
		}
		equal(t, "refusal", *wrong, eventlog.VersionError{StreamID: c.stream, Expected: c.expected, Actual: c.actual})
	}
	if events := all(t, log); len(events) != 3 {
		t.Errorf("%d events, want the 3 from before the refusals", len(events))
	}
	if r := mustAppend(t, log, Command(organization, s, 3, 1)); r.Position != 4 || r.Version != 4 {
		t.Errorf("after refusals: position %d, version %d; want 4, 4", r.Position, r.Version)
	}
}

func testTooLarge(t *testing.T, log eventlog.Log) {
	organization := uuid.New()
	full := Command(organization, stream(), 0, 1)
	full.Events[0].Data = bytes.Repeat([]byte("x"), eventlog.MaxEventBytes-len(full.Events[0].Metadata))
	mustAppend(t, log, full)

	long := Command(organization, stream(), 0, 1)
	long.Events[0].Data = append(slices.Clone(full.Events[0].Data), 'x')
	heavy := Command(organization, stream(), 0, eventlog.MaxCommandBytes/eventlog.MaxEventBytes+1)
	for i := range heavy.Events {
		heavy.Events[i].Data = full.Events[0].Data
	}
	for name, cmd := range map[string]eventlog.Command{
		"an event over the limit":  long,
		"a command over the limit": heavy,
		"too many events":          Command(organization, stream(), 0, eventlog.MaxEventsPerCommand+1),
	} {
		if _, err := log.Append(t.Context(), cmd); !errors.Is(err, eventlog.ErrTooLarge) {
			t.Errorf("%s: %v, want ErrTooLarge", name, err)
		}
	}
	if events := all(t, log); len(events) != 1 || !bytes.Equal(events[0].Data, full.Events[0].Data) {
		t.Errorf("%d events, want only the one at the limit, whole", len(events))
	}
}

func testInvalid(t *testing.T, log eventlog.Log) {
	for name, spoil := range map[string]func(*eventlog.Command){
		"no command id":             func(c *eventlog.Command) { c.ID = uuid.Nil },
		"no hash":                   func(c *eventlog.Command) { c.Hash = nil },
		"a hash that is no SHA-256": func(c *eventlog.Command) { c.Hash = c.Hash[:31] },
		"no organization":           func(c *eventlog.Command) { c.OrganizationID = uuid.Nil },
		"no stream":                 func(c *eventlog.Command) { c.StreamID = "" },
		"a stream with a NUL":       func(c *eventlog.Command) { c.StreamID = "strategy-\x00" },
		"a stream beyond ASCII":     func(c *eventlog.Command) { c.StreamID = "strategy-é" },
		"a stream too long":         func(c *eventlog.Command) { c.StreamID = strings.Repeat("s", 201) },
		"a negative version":        func(c *eventlog.Command) { c.ExpectedVersion = -1 },
		"no events":                 func(c *eventlog.Command) { c.Events = nil },
		"no event id":               func(c *eventlog.Command) { c.Events[1].ID = uuid.Nil },
		"no type":                   func(c *eventlog.Command) { c.Events[1].Type = "" },
		"schema version 0":          func(c *eventlog.Command) { c.Events[1].SchemaVersion = 0 },
		"schema version 2^31":       func(c *eventlog.Command) { c.Events[1].SchemaVersion = 1 << 31 },
	} {
		cmd := Command(uuid.New(), stream(), 0, 2)
		spoil(&cmd)
		if _, err := log.Append(t.Context(), cmd); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if events := all(t, log); len(events) != 0 {
		t.Errorf("%d events were recorded", len(events))
	}
}
