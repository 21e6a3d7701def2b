package plansdb

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"strata.dev/strata/adapters/auditdb"
	"strata.dev/strata/adapters/internal/readdb"
	"strata.dev/strata/adapters/internal/readdb/readdbtest"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/tests/testenv"
)

// long is an organization with an indicator and a strategy of 10,000 events each.
type long struct {
	*fixture
	folding             *Reader // without snapshots
	w                   *readdbtest.World
	indicator, strategy uuid.UUID
	head                int64
}

const longHistory = 10_000

func prepareLong(t testing.TB) *long {
	t.Helper()
	l := &long{fixture: prepare(t, Options{})}
	l.w = readdbtest.NewWorld(l.log, seeded(41))
	one := l.w.Draft()
	l.w.AddObjective(one, l.w.AddGoal(one))
	l.indicator = l.w.Define(one).ID
	l.measure(l.indicator, longHistory-1)
	wide := l.w.Draft()
	l.strategy = wide.ID
	for range 10 {
		goal := l.w.AddGoal(wide)
		for range 10 {
			l.w.AddObjective(wide, goal)
		}
	}
	for range 150 {
		l.measure(l.w.Define(wide).ID, 64)
	}
	for range 130 {
		l.w.Edit(wide)
	}
	var err error
	if l.head, err = l.log.Head(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := l.projection.Rebuild(t.Context(), l.log, nil); err != nil {
		t.Fatal(err)
	}
	urls := testenv.Audit(t)
	audit, err := auditdb.OpenProjection(t.Context(), urls.Projector, auditdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(audit.Close)
	if err := audit.Rebuild(t.Context(), l.log, nil); err != nil {
		t.Fatal(err)
	}
	past, err := auditdb.OpenReader(t.Context(), urls.Reader, audit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(past.Close)
	l.reader.LookBackIn(past)
	if l.folding, err = OpenReader(t.Context(), l.urls.Reader, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.folding.Close)
	l.folding.LookBackIn(past)
	return l
}

// measure records, corrects and voids values of days, and sets targets.
func (l *long) measure(id uuid.UUID, events int) {
	by, pick := fact.Actor{Kind: fact.Person, ID: uuid.NewString()}, rand.New(rand.NewPCG(uint64(events), 7))
	reading := func(n int) indicator.Reading {
		return indicator.Reading{Value: "12.5", OriginalText: fmt.Sprintf("%d.50", n)}
	}
	type value struct {
		id     string
		period calendar.Period
		now    indicator.Reading
	}
	var values []value
	for n := range events {
		day := calendar.Date("1990-01-01").AddDays(n)
		period := calendar.Period{Start: day, End: day}
		var e any
		switch at := pick.IntN(max(len(values), 1)); {
		case len(values) > 0 && n%6 == 0:
			v := &values[at]
			e = indicator.MeasurementCorrected{MeasurementID: v.id, Period: v.period, Old: v.now, New: reading(n), Reason: "A slip of the pen."}
			v.now = reading(n)
		case n%20 == 7:
			e = indicator.TargetSet{Period: period, Reading: reading(n), Reason: "r"}
		case len(values) > 0 && n%50 == 49:
			e = indicator.MeasurementVoided{MeasurementID: values[at].id, Period: values[at].period, Old: values[at].now, Reason: "Counted twice."}
			values = slices.Delete(values, at, at+1)
		default:
			v := value{uuid.NewString(), period, reading(n)}
			values = append(values, v)
			e = indicator.MeasurementRecorded{MeasurementID: v.id, Period: period, Reading: v.now, Note: "As published."}
		}
		l.w.Log.Record(l.w.ID, "indicator-"+id.String(), by, e)
	}
}

// questions are what is asked as of a moment: what is slow without snapshots.
func (l *long) questions() map[string]func(r *Reader, ask query.Read) (any, error) {
	return map[string]func(*Reader, query.Read) (any, error){
		"indicator": func(r *Reader, ask query.Read) (any, error) { return r.Indicator(testContext, ask, l.indicator) },
		"series": func(r *Reader, ask query.Read) (any, error) {
			return r.Series(testContext, ask, query.SeriesFilter{IndicatorID: l.indicator, From: "2001-02-03", Voided: true})
		},
		"strategy": func(r *Reader, ask query.Read) (any, error) {
			return r.Strategy(testContext, ask, query.StrategyAsk{ID: l.strategy})
		},
		"scorecard": func(r *Reader, ask query.Read) (any, error) {
			return r.Scorecard(testContext, ask, query.ScorecardFilter{StrategyID: l.strategy})
		},
	}
}

// from is the first position as of which a question has an answer.
func (l *long) from(name string) int64 {
	if name == "strategy" || name == "scorecard" {
		return longHistory + 50
	}
	return 10
}

// settled waits until nothing is being done beside the answers.
func (l *long) settled(t testing.TB, taken int64) {
	t.Helper()
	testenv.Eventually(t, 2*time.Minute, "the snapshots are taken", func() error {
		s := l.reader.snapshots
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.busy) > 0 || s.taken.Load() < taken {
			return fmt.Errorf("%+v, %d at work", l.reader.Snapshots(), len(s.busy))
		}
		return nil
	})
}

// A long history answers about any moment of it in a few milliseconds, and says
// what a fold from its first event says.
func TestLongHistoriesAnswerSoon(t *testing.T) {
	noLeaks(t)
	l := prepareLong(t)
	pick := seeded(43)
	taken := int64(0)
	for name, ask := range l.questions() {
		if name == "series" || name == "scorecard" {
			continue
		}
		began := time.Now()
		if _, err := ask(l.reader, as(l.w)); err != nil { // of the present: nothing is folded
			t.Fatal(err)
		}
		r := as(l.w)
		r.AsOf.Position = l.head
		if _, err := ask(l.reader, r); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %s the first time", name, time.Since(began).Round(time.Millisecond))
		taken += 20
		l.settled(t, taken)
	}
	const asked = 30 // of each question
	for name, ask := range l.questions() {
		var with, without []time.Duration
		for n := range asked {
			r := as(l.w)
			r.AsOf.Position = l.from(name) + int64(pick(int(l.head-l.from(name))))
			began := time.Now()
			got, err := ask(l.reader, r)
			with = append(with, time.Since(began))
			if err != nil {
				t.Fatalf("%s as of %d: %v", name, r.AsOf.Position, err)
			}
			if n%10 > 0 {
				continue
			}
			began = time.Now()
			want, err := ask(l.folding, r)
			without = append(without, time.Since(began))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("%s as of %d (-from the beginning +with snapshots):\n%s", name, r.AsOf.Position, diff)
			}
		}
		slices.Sort(with)
		slices.Sort(without)
		t.Logf("%-9s with snapshots p50 %s p99 %s, without p50 %s max %s", name, with[asked/2].Round(100*time.Microsecond),
			with[asked*99/100].Round(100*time.Microsecond), without[len(without)/2].Round(time.Millisecond), without[len(without)-1].Round(time.Millisecond))
	}
	// How fast it is, BenchmarkPast says; here others are at work, and the race detector. That answers rest on
	// snapshots, and do not begin with the first event, is what makes it so.
	if c := l.reader.Snapshots(); c.Used < 4*asked*9/10 || c.Wrong != 0 {
		t.Errorf("%+v after %d questions", c, 4*asked)
	}
	t.Logf("%+v", l.reader.Snapshots())
	l.wrong(t)
}

// wrong puts wrong snapshots in the place of right ones, in every way that the
// service's own role can. None is believed; each is thrown away and counted.
func (l *long) wrong(t *testing.T) {
	t.Helper()
	ask := as(l.w)
	ask.AsOf.Position = l.head / 2
	want, err := l.folding.Indicator(t.Context(), ask, l.indicator)
	if err != nil {
		t.Fatal(err)
	}
	stream := "indicator-" + l.indicator.String()
	keep := func(change func(*readdb.Snapshot)) *readdb.Snapshot {
		if err := l.reader.takeSnapshots(t.Context(), l.w.ID, stream); err != nil {
			t.Fatal(err)
		}
		s, err := l.reader.db.Snapshot(t.Context(), l.w.ID, stream, l.head/2)
		if err != nil || s == nil {
			t.Fatal(s, err)
		}
		conn := l.connect(t, l.urls.Projector)
		if _, err := conn.Exec(t.Context(), `DELETE FROM snapshots WHERE stream_id = $1 AND position = $2`, stream, s.Position); err != nil {
			t.Fatal(err)
		}
		change(s)
		if err := l.projection.KeepSnapshot(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	gone := func(what string, before int64) {
		t.Helper()
		s, err := l.reader.db.Snapshot(t.Context(), l.w.ID, stream, l.head)
		if err != nil || s != nil || l.reader.Snapshots().Wrong != before+1 {
			t.Errorf("%s: %v, %v, %+v; want it thrown away and counted", what, s, err, l.reader.Snapshots())
		}
	}
	for what, change := range map[string]func(*readdb.Snapshot){
		"of another history": func(s *readdb.Snapshot) { s.LastEvent = uuid.New() },
		"that is cut off":    func(s *readdb.Snapshot) { s.Content = s.Content[:len(s.Content)-3] },
		"that is garbage":    func(s *readdb.Snapshot) { s.Content = []byte("garbage") },
	} {
		l.settled(t, 0)
		before := l.reader.Snapshots().Wrong
		keep(change)
		got, err := l.reader.Indicator(t.Context(), ask, l.indicator)
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		equal(t, what, want, got)
		l.settled(t, 0)
		if l.reader.Snapshots().Wrong != before+1 {
			t.Errorf("%s: %+v, want one more that was wrong", what, l.reader.Snapshots())
		}
		if err := l.projection.DropSnapshots(t.Context(), l.w.ID, stream); err != nil {
			t.Fatal(err)
		}
	}
	// Bytes that were changed where they are stored.
	before := l.reader.Snapshots().Wrong
	s := keep(func(*readdb.Snapshot) {})
	conn := l.connect(t, l.urls.Projector)
	if _, err := conn.Exec(t.Context(), `WITH gone AS (DELETE FROM snapshots WHERE stream_id = $1 RETURNING *)
		INSERT INTO snapshots SELECT organization_id, stream_id, layout, position + 1000000, last_event, events, digest, set_byte(content, 100, 7), taken_at
		FROM gone WHERE position = $2`, stream, s.Position); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.reader.begin(t.Context(), ask, stream, 1<<40); err != nil {
		t.Fatal(err)
	}
	gone("changed bytes", before)
	// One that is made well, and says something else than the events: only making it again can tell.
	before = l.reader.Snapshots().Wrong
	forged := keep(func(s *readdb.Snapshot) {
		w, err := unpack(s.Content)
		if err != nil {
			t.Fatal(err)
		}
		for row := range w.measurements.All() {
			row.reading.Value = "99"
		}
		if s.Content, err = w.pack(); err != nil {
			t.Fatal(err)
		}
	})
	if err := l.reader.compareSnapshot(t.Context(), forged); err != nil {
		t.Fatal(err)
	}
	gone("a forgery", before)
}

// A writer goes on from a snapshot as if it had folded everything.
func TestSnapshotsGoOn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := readdbtest.NewWorld(readdbtest.NewLog(), func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choice") })
		for range rapid.IntRange(20, 120).Draw(t, "steps") {
			w.Step()
		}
		events, err := w.Log.Read(testContext, 0, 10_000)
		if err != nil {
			t.Fatal(err)
		}
		whole, first := newWriter(true), newWriter(true)
		cut := rapid.IntRange(0, len(events)).Draw(t, "cut")
		if err := foldInto(whole, events); err != nil {
			t.Fatal(err)
		}
		if err := foldInto(first, events[:cut]); err != nil {
			t.Fatal(err)
		}
		content, err := first.pack()
		if err != nil {
			t.Fatal(err)
		}
		second, err := unpack(content)
		if err != nil {
			t.Fatal(err)
		}
		if err := foldInto(second, events[cut:]); err != nil {
			t.Fatal(err)
		}
		want, err := whole.pack()
		if err != nil {
			t.Fatal(err)
		}
		got, err := second.pack()
		if err != nil || string(got) != string(want) {
			t.Fatalf("after %d of %d events something else comes out, %v", cut, len(events), err)
		}
		if err := second.unpacked(); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzUnpack: whatever is there instead of a snapshot, it is refused or read, and
// never more than that.
func FuzzUnpack(f *testing.F) {
	w := readdbtest.NewWorld(readdbtest.NewLog(), seeded(5))
	for range 60 {
		w.Step()
	}
	events, err := w.Log.Read(f.Context(), 0, 10_000)
	if err != nil {
		f.Fatal(err)
	}
	folded := newWriter(true)
	if err := foldInto(folded, events); err != nil {
		f.Fatal(err)
	}
	content, err := folded.pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(content)
	f.Add([]byte{})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(_ *testing.T, content []byte) {
		w, err := unpack(content)
		if err != nil {
			return
		}
		_, _ = w.pack() // reads what was left to be read later
	})
}

// testContext is for what has no test's own at hand.
var testContext = context.Background()
