package auditdb

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"strata.dev/strata/adapters/internal/readdb/readdbtest"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/tests/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

// fixture is an audit database, and a log of two organizations.
type fixture struct {
	urls       testenv.ReadURLs
	log        *readdbtest.Log
	events     []eventlog.Event
	worlds     []*readdbtest.World
	projection *Projection
	reader     *Reader
}

func setup(t testing.TB, steps int, o Options) *fixture {
	t.Helper()
	urls := testenv.Audit(t)
	f := &fixture{urls: urls, log: readdbtest.NewLog()}
	for seed := range uint64(2) {
		f.worlds = append(f.worlds, readdbtest.NewWorld(f.log, rand.New(rand.NewPCG(seed, 1)).IntN))
	}
	for i := range steps {
		f.worlds[i%2].Step()
	}
	if steps > 0 { // chance may have moved no indicator from one strategy to another
		from, to := f.worlds[0].Draft(), f.worlds[0].Draft()
		for _, s := range []*readdbtest.Strategy{from, to} {
			f.worlds[0].AddObjective(s, f.worlds[0].AddGoal(s))
		}
		f.worlds[0].Relink(f.worlds[0].Measured(from, 3), to)
	}
	var err error
	if f.events, err = f.log.Read(t.Context(), 0, 1_000_000); err != nil {
		t.Fatal(err)
	}
	if f.projection, err = OpenProjection(t.Context(), urls.Projector, o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.projection.Close)
	if f.reader, err = OpenReader(t.Context(), urls.Reader, f.projection); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.reader.Close)
	return f
}

func checkLeaks(t *testing.T) {
	t.Helper()
	options := append(testenv.LeakOptions(), goleak.IgnoreCurrent())
	t.Cleanup(func() { goleak.VerifyNone(t, options...) })
}

// apply brings the log in uneven batches, each of them twice.
func (f *fixture) apply(t *testing.T) {
	t.Helper()
	for from, size := 0, 1; from < len(f.events); from, size = from+size, size*2 {
		to := min(from+size, len(f.events))
		for range 2 {
			if err := f.projection.Apply(t.Context(), f.events[from:to]); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func (f *fixture) of(w *readdbtest.World) []eventlog.Event {
	return slices.DeleteFunc(slices.Clone(f.events), func(e eventlog.Event) bool { return e.OrganizationID != w.ID })
}

// The feed is the log of one organization, byte for byte, and complete by its
// own sequence; a rebuild gives the same.
func TestFeedIsTheLog(t *testing.T) {
	checkLeaks(t)
	f := setup(t, 400, Options{RebuildBatch: 70, RebuildRows: 300})
	f.apply(t)
	check := func() {
		for _, w := range f.worlds {
			var got []eventlog.Event
			after, more := int64(0), true
			for more {
				feed, err := f.reader.Events(t.Context(), query.Read{OrganizationID: w.ID}, query.EventsFilter{After: after, Limit: 37})
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, feed.Events...)
				after, more = feed.Next, feed.More
			}
			if diff := cmp.Diff(f.of(w), got); diff != "" {
				t.Fatalf("feed (-want +got):\n%s", diff)
			}
			if last := got[len(got)-1]; last.OrganizationSequence != int64(len(got)) || after != f.events[len(f.events)-1].Position {
				t.Errorf("%d events, sequence %d, next %d", len(got), last.OrganizationSequence, after)
			}
		}
	}
	check()
	live, err := f.projection.Digest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := f.projection.Rebuild(t.Context(), f.log, nil); err != nil {
		t.Fatal(err)
	}
	check()
	if rebuilt, err := f.projection.Digest(t.Context()); err != nil || rebuilt != live {
		t.Errorf("rebuilt %+v, %v; live %+v", rebuilt, err, live)
	}
}

func TestFeedByType(t *testing.T) {
	checkLeaks(t)
	f := setup(t, 300, Options{})
	f.apply(t)
	w := f.worlds[1]
	ask := query.Read{OrganizationID: w.ID}
	types := []string{"strategy.goal-added", "indicator.target-set"}
	var want []uuid.UUID
	for _, e := range f.of(w) {
		if slices.Contains(types, e.Type) {
			want = append(want, e.ID)
		}
	}
	feed, err := f.reader.Events(t.Context(), ask, query.EventsFilter{Types: types, Limit: query.MaxLimit})
	if err != nil {
		t.Fatal(err)
	}
	var got []uuid.UUID
	for _, e := range feed.Events {
		got = append(got, e.ID)
	}
	if !slices.Equal(got, want) || len(want) == 0 {
		t.Errorf("%d events, want %d", len(got), len(want))
	}
	if next, err := f.reader.Events(t.Context(), ask, query.EventsFilter{Types: types, After: feed.Next}); err != nil || len(next.Events) != 0 || next.Next != feed.Next {
		t.Errorf("behind the end: %+v, %v", next, err)
	}
}

// History finds what a filter over the log finds, page by page, while the log grows.
func TestHistory(t *testing.T) {
	checkLeaks(t)
	f := setup(t, 900, Options{})
	f.apply(t)
	w := f.worlds[0]
	mine := f.of(w)
	middle := mine[len(mine)/2]
	actor := actorOf(t, middle)
	strategyID := "" // one that an indicator moved to
	of := strategiesOf(t, mine)
	for _, e := range mine {
		if len(of[e.Position]) > 1 {
			strategyID = of[e.Position][0]
		}
	}
	added := mine[slices.IndexFunc(mine, func(e eventlog.Event) bool { return e.Type == "strategy.goal-added" })]
	goal := goalOf(t, added)
	if strategyID == "" {
		t.Fatal("no indicator was relinked: it is not tested")
	}
	isOfficer := func(e eventlog.Event) bool { return slices.Contains(rolesOf(t, e), authz.ComplianceOfficer) }
	for name, c := range map[string]struct {
		filter query.HistoryFilter
		match  func(e eventlog.Event) bool
	}{
		"all":    {query.HistoryFilter{}, func(eventlog.Event) bool { return true }},
		"stream": {query.HistoryFilter{StreamID: middle.StreamID}, func(e eventlog.Event) bool { return e.StreamID == middle.StreamID }},
		"actor":  {query.HistoryFilter{ActorID: actor}, func(e eventlog.Event) bool { return actorOf(t, e) == actor }},
		"type":   {query.HistoryFilter{Types: []string{middle.Type}}, func(e eventlog.Event) bool { return e.Type == middle.Type }},
		"time": {query.HistoryFilter{From: mine[3].RecordedAt, To: middle.RecordedAt}, func(e eventlog.Event) bool {
			return !e.RecordedAt.Before(mine[3].RecordedAt) && e.RecordedAt.Before(middle.RecordedAt)
		}},
		"strategy": {query.HistoryFilter{StrategyID: strategyID}, func(e eventlog.Event) bool {
			return slices.Contains(strategiesOf(t, mine)[e.Position], strategyID)
		}},
		"role": {query.HistoryFilter{Role: authz.ComplianceOfficer}, isOfficer},
		"role, type and strategy": {
			query.HistoryFilter{Role: authz.Author, Types: []string{"indicator.redefined", "indicator.defined"}, StrategyID: strategyID},
			func(e eventlog.Event) bool {
				return strings.Contains(e.Type, "defined") && slices.Contains(strategiesOf(t, mine)[e.Position], strategyID)
			},
		},
		"subject": {query.HistoryFilter{StreamID: added.StreamID, SubjectID: goal}, func(e eventlog.Event) bool {
			return e.StreamID == added.StreamID && (goalOf(t, e) == goal && e.Type == "strategy.goal-added" || strings.Contains(string(e.Data), `"elementId":"`+goal))
		}},
		"stream and type": {query.HistoryFilter{StreamID: middle.StreamID, Types: []string{middle.Type}}, func(e eventlog.Event) bool {
			return e.StreamID == middle.StreamID && e.Type == middle.Type
		}},
	} {
		var want, got []int64
		for _, e := range mine {
			if c.match(e) {
				want = append(want, e.Position)
			}
		}
		c.filter.Limit, c.filter.Count = 11, true
		for {
			page, err := f.reader.History(t.Context(), query.Read{OrganizationID: w.ID}, c.filter)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if *page.Total != int64(len(want)) {
				t.Errorf("%s: counted %d, want %d", name, *page.Total, len(want))
			}
			for _, e := range page.Items {
				got = append(got, e.Position)
			}
			if c.filter.Cursor = page.NextCursor; c.filter.Cursor == "" {
				break
			}
			more := f.log.Append(w.ID, middle.StreamID, fact.Actor{ID: actor, Kind: fact.Person}, middle.Type, 1, []byte("{}"))
			if err := f.projection.Apply(t.Context(), []eventlog.Event{more}); err != nil {
				t.Fatal(err)
			}
		}
		if len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s: %d positions %v, want %d %v", name, len(got), got, len(want), want)
		}
		var err error
		if f.events, err = f.log.Read(t.Context(), 0, 1_000_000); err != nil {
			t.Fatal(err)
		}
		mine = f.of(w)
	}
}

func TestEventTellsWhoWhenWhat(t *testing.T) {
	checkLeaks(t)
	f := setup(t, 50, Options{})
	f.apply(t)
	mine, theirs := f.of(f.worlds[0]), f.of(f.worlds[1])
	i := slices.IndexFunc(mine, func(e eventlog.Event) bool { return e.Type == "strategy.goal-added" })
	e := mine[i]
	ask := query.Read{OrganizationID: f.worlds[0].ID}
	got, err := f.reader.Event(t.Context(), ask, e.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := query.Entry{
		Position: e.Position, OrganizationSequence: e.OrganizationSequence, StreamID: e.StreamID, Version: e.Version, ID: e.ID.String(),
		Type: e.Type, SchemaVersion: e.SchemaVersion, RecordedAt: e.RecordedAt, ActorKind: "person", ActorID: actorOf(t, e), ActorRoles: rolesOf(t, e), Reason: "because",
		StrategyID: strings.TrimPrefix(e.StreamID, "strategy-"), SubjectID: goalOf(t, e), Source: &eventlog.Origin{Kind: "api"},
		CommandID: e.CommandID.String(), CorrelationID: "test", Data: e.Data, Metadata: e.Metadata,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	if b, err := json.Marshal(got); err != nil || !bytes.Contains(b, []byte(fmt.Sprintf(`"position":"%d"`, e.Position))) {
		t.Errorf("as JSON: %s, %v", b, err)
	}
	if _, err := f.reader.Event(t.Context(), ask, theirs[0].ID); !errors.Is(err, query.ErrNotFound) {
		t.Errorf("an event of another organization: %v, want not-found", err)
	}
}

// What this release does not understand is kept all the same.
func TestNothingIsLeftOut(t *testing.T) {
	checkLeaks(t)
	f := setup(t, 0, Options{})
	org := f.worlds[0].ID
	odd := []eventlog.Event{}
	add := func(change func(*eventlog.Event)) {
		e := f.log.Append(org, "strategy-x", fact.Actor{ID: "a", Kind: fact.Person}, "future.type", 99, []byte(`{"new":1}`))
		change(&e)
		f.log.Replace(e)
		odd = append(odd, e)
	}
	add(func(*eventlog.Event) {})
	add(func(e *eventlog.Event) { e.Metadata = []byte("no JSON") })
	add(func(e *eventlog.Event) { e.Data = []byte{0, 255} })
	add(func(e *eventlog.Event) { e.Metadata = []byte(`{"actor":{"id":"a\u0000b"},"reason":"\u0000"}`) })
	add(func(e *eventlog.Event) {
		e.Metadata = []byte(`{"actor":{"id":"` + string(bytes.Repeat([]byte("ü"), 5000)) + `"}}`)
	})
	var err error
	if f.events, err = f.log.Read(t.Context(), 0, 100); err != nil {
		t.Fatal(err)
	}
	f.apply(t)
	feed, err := f.reader.Events(t.Context(), query.Read{OrganizationID: org}, query.EventsFilter{Types: []string{"future.type"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(odd, feed.Events); diff != "" {
		t.Errorf("feed (-want +got):\n%s", diff)
	}
	if s, err := f.projection.Status(t.Context()); err != nil || s.ParkedTotal != 0 {
		t.Errorf("%d parked, %v: want none", s.ParkedTotal, err)
	}
}

func TestQuestionsThatCannotBeAsked(t *testing.T) {
	checkLeaks(t)
	f := setup(t, 0, Options{})
	ask := query.Read{OrganizationID: f.worlds[0].ID}
	many := make([]string, query.MaxTypes+1)
	feed := func(q query.EventsFilter) error { _, err := f.reader.Events(t.Context(), ask, q); return err }
	history := func(q query.HistoryFilter) error { _, err := f.reader.History(t.Context(), ask, q); return err }
	for what, c := range map[string]struct{ got, want error }{
		"limit of the feed":      {feed(query.EventsFilter{Limit: 201}), query.ErrInvalid},
		"too many types":         {feed(query.EventsFilter{Types: many}), query.ErrInvalid},
		"before the start":       {feed(query.EventsFilter{After: -1}), query.ErrInvalid},
		"NUL in a type":          {feed(query.EventsFilter{Types: []string{"\x00"}}), query.ErrInvalid},
		"NUL in a stream":        {history(query.HistoryFilter{StreamID: "\x00"}), query.ErrInvalid},
		"too many history types": {history(query.HistoryFilter{Types: many}), query.ErrInvalid},
		"limit of the history":   {history(query.HistoryFilter{Paging: query.Paging{Limit: -1}}), query.ErrInvalid},
		"cursor":                 {history(query.HistoryFilter{Paging: query.Paging{Cursor: "eyJ9"}}), query.ErrInvalidCursor},
		"nothing wrong":          {history(query.HistoryFilter{StreamID: "'; DROP TABLE events; --"}), nil},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: %v, want %v", what, c.got, c.want)
		}
	}
}

// BenchmarkRebuild copies 100,000 events.
func BenchmarkRebuild(b *testing.B) {
	f := setup(b, 0, Options{})
	w := f.worlds[0]
	s := w.Draft()
	w.AddObjective(s, w.AddGoal(s))
	for range 1400 {
		w.Measured(s, 35)
	}
	head, err := f.log.Head(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := f.projection.Rebuild(b.Context(), f.log, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(head)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
