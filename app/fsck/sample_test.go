package fsck_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/fsck"
	"strata.dev/strata/app/query"
)

// served is what a service answers from its read databases, in memory.
type served struct {
	entries map[uuid.UUID]query.Entry
	now     map[string]string // by stream: what is answered about it
	skipped string            // a stream of which the last event is missing
	head    int64
	tiles   []byte
}

func serve(t *testing.T, h *history) *served {
	t.Helper()
	s := &served{entries: map[uuid.UUID]query.Entry{}, now: map[string]string{}, head: int64(len(h.events))}
	for _, e := range h.events {
		m, err := eventlog.DecodeMetadata(e.Metadata)
		if err != nil {
			t.Fatal(err)
		}
		s.entries[e.ID] = query.Entry{
			Position: e.Position, OrganizationSequence: e.OrganizationSequence, StreamID: e.StreamID, Version: e.Version, ID: e.ID.String(),
			Type: e.Type, SchemaVersion: e.SchemaVersion, RecordedAt: e.RecordedAt, ActorID: m.Actor.ID, Data: e.Data, Metadata: e.Metadata,
		}
		s.now[e.StreamID] = "as recorded"
		leaf := eventlog.LeafHash(&e)
		s.tiles = append(s.tiles, leaf[:]...)
	}
	return s
}

// Event implements fsck.Answers.
func (s *served) Event(_ context.Context, _, id uuid.UUID) (query.Entry, error) {
	e, ok := s.entries[id]
	if !ok {
		return e, query.ErrNotFound
	}
	return e, nil
}

type said struct {
	Name      string
	Freshness string `json:"freshness"`
}

// Now implements fsck.Answers.
func (s *served) Now(_ context.Context, _ uuid.UUID, streamID string) (answer any, version, position int64, ok bool, err error) {
	for _, e := range s.entries {
		if e.StreamID == streamID {
			version = max(version, e.Version)
		}
	}
	if streamID == s.skipped {
		version--
	}
	return said{s.now[streamID], "today"}, version, s.head, true, nil
}

// Then implements fsck.Answers.
func (s *served) Then(context.Context, uuid.UUID, string, int64) (any, error) {
	return said{"as recorded", "of then"}, nil
}

// Tile implements fsck.Ledger.
func (s *served) Tile(context.Context, int, int64) ([]byte, error) { return s.tiles, nil }

// Sealed, SignedAfter and Epochs implement fsck.Ledger; samples do not ask.
func (s *served) Sealed(context.Context) (int64, error) { return s.head, nil }

func (s *served) SignedAfter(context.Context, int64, int) ([]fsck.Signed, error) {
	return nil, nil
}
func (s *served) Epochs(context.Context) (eventlog.Epochs, error) { return eventlog.Epochs{}, nil }

// Wherever the first sample is taken, everything has had its turn when as many
// have been taken as it takes to go around, and what was changed is in the right
// section.
func TestSamplesGoAround(t *testing.T) {
	for name, c := range map[string]struct {
		spoil   func(h *history, s *served)
		section string
	}{
		"nothing": {func(*history, *served) {}, ""},
		"audit changed": {func(h *history, s *served) {
			e := s.entries[h.events[6].ID]
			e.ActorID = "x"
			s.entries[h.events[6].ID] = e
		}, fsck.AuditSection},
		"audit missing":   {func(h *history, s *served) { delete(s.entries, h.events[0].ID) }, fsck.AuditSection},
		"plans changed":   {func(h *history, s *served) { s.now[h.events[7].StreamID] = "another" }, fsck.PlansSection},
		"plans behind":    {func(h *history, s *served) { s.skipped = h.events[7].StreamID }, fsck.PlansSection},
		"leaf changed":    {func(_ *history, s *served) { s.tiles[40] ^= 1 }, fsck.LedgerSection},
		"event changed":   {func(h *history, _ *served) { h.events[3].Data = append([]byte("{ "), h.events[3].Data[1:]...) }, fsck.LogSection},
		"event of others": {func(h *history, _ *served) { h.events[3].Type, h.events[3].Data = h.events[0].Type, h.events[0].Data }, fsck.StreamsSection},
	} {
		t.Run(name, func(t *testing.T) {
			for start := range int64(8) {
				h, _, _ := example(t)
				s := serve(t, h)
				c.spoil(h, s)
				sampler := fsck.Sampler{Log: h, Answers: s, Ledger: s, Events: 3, Streams: 2, Next: start}
				found := map[string]bool{}
				for range 8 { // at least one event each, and all of them once
					sample, err := sampler.Once(t.Context(), 8)
					if err != nil {
						t.Fatal(err)
					}
					for section := range sample.Wrong {
						found[section] = true
					}
				}
				got := slices.Collect(maps.Keys(found))
				if c.section == "" && len(got) > 0 || c.section != "" && !found[c.section] {
					t.Errorf("from %d on: found in %v, want %q", start, got, c.section)
				}
			}
		})
	}
}

// What the read databases have not reached yet is not compared.
func TestSamplesStayBehindTheReadModels(t *testing.T) {
	h, _, _ := example(t)
	s := serve(t, h)
	delete(s.entries, h.events[7].ID)
	s.head = 7
	sampler := fsck.Sampler{Log: h, Answers: s}
	for range 5 {
		if sample, err := sampler.Once(t.Context(), 7); err != nil || len(sample.Wrong) > 0 || sample.To > 7 {
			t.Fatalf("%v %+v", err, sample)
		}
	}
	if sample, err := sampler.Once(t.Context(), 0); err != nil || sample.To != 0 {
		t.Fatalf("of nothing: %v %+v", err, sample)
	}
}
