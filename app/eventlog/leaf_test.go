package eventlog_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"testing"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
)

func example() eventlog.Event {
	return eventlog.Event{
		Position:             42,
		OrganizationID:       uuid.MustParse("0198c0de-0000-7000-8000-00000000000a"),
		OrganizationSequence: 17,
		StreamID:             "strategy-0198c0de-0000-7000-8000-00000000000b",
		Version:              3,
		ID:                   uuid.MustParse("0198c0de-0000-7000-8000-00000000000e"),
		Type:                 "strategy.goal-added",
		SchemaVersion:        1,
		Data:                 []byte(`{"goalId":"0198c0de-0000-7000-8000-00000000000f","name":"Digital skills"}`),
		Metadata:             []byte(`{"actor":{"id":"member-7","kind":"person"}}`),
		CommandID:            uuid.MustParse("0198c0de-0000-7000-8000-00000000000c"),
		CommandHash:          bytes.Repeat([]byte{0xab}, 32),
		RecordedAt:           time.Date(2026, 11, 21, 18, 30, 0, 123456000, time.UTC),
	}
}

// TestLeafIsAsDocumented builds the leaf a second time, from the package comment's table.
func TestLeafIsAsDocumented(t *testing.T) {
	e := example()
	var leaf bytes.Buffer
	number := func(n int64) { _ = binary.Write(&leaf, binary.BigEndian, n) }
	leaf.WriteByte(0)
	leaf.WriteString("strata-event-v1")
	for _, n := range []int64{42, 17, 3, 1, e.RecordedAt.UnixMicro()} {
		number(n)
	}
	for _, id := range []uuid.UUID{e.OrganizationID, e.ID, e.CommandID} {
		leaf.Write(id[:])
	}
	for _, f := range [][]byte{[]byte(e.StreamID), []byte(e.Type), e.Data, e.Metadata, e.CommandHash} {
		number(int64(len(f)))
		leaf.Write(f)
	}
	if want, got := sha256.Sum256(leaf.Bytes()), eventlog.LeafHash(&e); want != got {
		t.Errorf("leaf hash %x, want %x", got, want)
	}
}

func TestEveryFieldChangesTheLeaf(t *testing.T) {
	base := example()
	original := eventlog.LeafHash(&base)
	for name, change := range map[string]func(*eventlog.Event){
		"position":              func(e *eventlog.Event) { e.Position++ },
		"organization sequence": func(e *eventlog.Event) { e.OrganizationSequence++ },
		"version":               func(e *eventlog.Event) { e.Version++ },
		"schema":                func(e *eventlog.Event) { e.SchemaVersion++ },
		"recorded at":           func(e *eventlog.Event) { e.RecordedAt = e.RecordedAt.Add(time.Microsecond) },
		"organization":          func(e *eventlog.Event) { e.OrganizationID[15]++ },
		"id":                    func(e *eventlog.Event) { e.ID[15]++ },
		"command":               func(e *eventlog.Event) { e.CommandID[15]++ },
		"stream":                func(e *eventlog.Event) { e.StreamID += "0" },
		"type":                  func(e *eventlog.Event) { e.Type += "0" },
		"data":                  func(e *eventlog.Event) { e.Data = append(bytes.Clone(e.Data), ' ') },
		"metadata":              func(e *eventlog.Event) { e.Metadata = append(bytes.Clone(e.Metadata), ' ') },
		"command hash":          func(e *eventlog.Event) { e.CommandHash = nil },
		"a byte moved from type to data": func(e *eventlog.Event) {
			e.Data = append([]byte(e.Type[len(e.Type)-1:]), e.Data...)
			e.Type = e.Type[:len(e.Type)-1]
		},
	} {
		e := base
		change(&e)
		if eventlog.LeafHash(&e) == original {
			t.Errorf("a changed %s leaves the leaf hash as it was", name)
		}
	}
}
