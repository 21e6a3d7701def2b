package command_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"strata.dev/strata/adapters/memory"
	"strata.dev/strata/app/command"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/refusal"
)

// scores defines indicators of a fresh strategy.
func (w *world) scores(n int) []uuid.UUID {
	w.t.Helper()
	strategyID, _, objective := w.draft()
	ids := make([]uuid.UUID, n)
	for i := range ids {
		ids[i] = uuid.New()
		w.must(w.commands.Indicators.Execute(w.t.Context(), w.as("author"), ids[i], yearly(objective, strategyID), target("2000", "5")))
	}
	return ids
}

func in(year int) calendar.Period {
	return calendar.Period{Start: calendar.Date(fmt.Sprintf("%04d-01-01", year)), End: calendar.Date(fmt.Sprintf("%04d-12-31", year))}
}

func record(of uuid.UUID, year int, value string) command.BatchItem {
	return command.BatchItem{IndicatorID: of, Command: indicator.RecordMeasurement{Period: in(year), Value: indicator.Stated{Number: value}}}
}

func correct(of uuid.UUID, year int, value string) command.BatchItem {
	return command.BatchItem{IndicatorID: of, Command: indicator.CorrectMeasurement{Period: in(year), Value: indicator.Stated{Number: value}, Reason: "revised"}}
}

func void(of uuid.UUID, year int) command.BatchItem {
	return command.BatchItem{IndicatorID: of, Command: indicator.VoidMeasurement{Period: in(year), Reason: "wrong table"}}
}

// told is what the items of a batch were answered, in short.
func told(results []command.ItemResult) []string {
	var all []string
	for _, r := range results {
		f, refused := errors.AsType[*fault.Fault](r.Err)
		switch {
		case refused:
			all = append(all, f.Rule)
		case r.Err != nil:
			all = append(all, "error")
		case r.Result.Replayed:
			all = append(all, "again")
		default:
			all = append(all, "ok")
		}
	}
	return all
}

func (w *world) live(id uuid.UUID) map[string]string {
	w.t.Helper()
	s := fold[indicator.State, indicator.Event](w.t, w.log, w.org, "indicator-"+id.String(), indicator.State.Apply)
	values := map[string]string{}
	for _, m := range s.Measurements() {
		values[string(m.Period.Start)[:4]] = m.OriginalText
	}
	return values
}

func TestABatchAnswersEachItemInOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := w.scores(2)
	a, b := ids[0], ids[1]
	before := len(w.stream("indicator-" + a.String()))
	call := w.as("owner")
	items := []command.BatchItem{
		record(a, 2001, "1"), record(b, 2001, "7"), record(a, 2001, "2"), correct(a, 2001, "3"), void(a, 2001), record(a, 2001, "4"),
		record(b, 2002, "n/a"), void(b, 2003), record(uuid.New(), 2001, "1"), record(a, 2002, "5.0"), record(b, 2002, "8"),
		{IndicatorID: a, Command: indicator.RetireIndicator{Reason: "r"}},
	}
	results, err := w.commands.Indicators.RecordBatch(t.Context(), call, items)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"ok", "ok", indicator.ErrMeasured.Rule, "ok", "ok", "ok",
		refusal.Invalid.Rule, indicator.ErrNotLiving.Rule, indicator.ErrNotDefined.Rule, "ok", "ok", refusal.Invalid.Rule,
	}
	if diff := cmp.Diff(want, told(results)); diff != "" {
		t.Fatal(diff)
	}
	if diff := cmp.Diff(map[string]string{"2001": "4", "2002": "5.0"}, w.live(a)) + cmp.Diff(map[string]string{"2001": "7", "2002": "8"}, w.live(b)); diff != "" {
		t.Error(diff)
	}
	// Each event is its item's: id, position, version; together they are one append per indicator.
	commands := map[uuid.UUID]bool{}
	for n, r := range results {
		if r.Err != nil {
			continue
		}
		events := w.stream(r.Result.StreamID)
		last := events[r.Result.Version-1]
		own := events[r.Result.Version-int64(len(r.Result.EventIDs)) : r.Result.Version]
		var got []uuid.UUID
		for _, e := range own {
			got = append(got, e.ID)
			commands[metadataOf(t, e).CommandID] = true
		}
		if !slices.Equal(got, r.Result.EventIDs) || last.Position != r.Result.Position || r.Result.ID != items[n].IndicatorID {
			t.Errorf("item %d is answered %+v, and is %v at %d", n, r.Result, got, last.Position)
		}
	}
	if len(commands) != 7 {
		t.Errorf("%d command ids for 7 accepted items", len(commands))
	}
	appends := 0
	for _, e := range w.stream("indicator-" + a.String())[before:] {
		if e.CommandID != uuid.Nil {
			appends++
		}
	}
	if appends != 1 {
		t.Errorf("%d appends to one indicator, want 1", appends)
	}

	// Again, by another process: the same answers, and nothing more in the log.
	head, _ := w.log.Head(t.Context())
	again, err := w.process().Indicators.RecordBatch(t.Context(), call, items)
	if err != nil {
		t.Fatal(err)
	}
	for n, rule := range want {
		if rule == "ok" {
			want[n] = "again"
		}
	}
	if diff := cmp.Diff(want, told(again)); diff != "" {
		t.Error(diff)
	}
	same := cmpopts.IgnoreFields(command.Result{}, "Replayed")
	if diff := cmp.Diff(results, again, same, cmpopts.IgnoreFields(command.ItemResult{}, "Err")); diff != "" {
		t.Error(diff)
	}
	if now, _ := w.log.Head(t.Context()); now != head {
		t.Errorf("a repetition recorded %d events", now-head)
	}
	_, err = w.commands.Indicators.RecordBatch(t.Context(), func() command.Call { c := call; c.Hash = make([]byte, 32); return c }(), items)
	refused(t, err, eventlog.ErrCommandReused)
}

// What was refused between accepted items stays refused on a repetition, also
// when it would be accepted behind them; what came after the last is decided anew.
func TestARepeatedBatchKeepsItsOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.scores(1)[0]
	w.must(w.commands.Indicators.Execute(t.Context(), w.as("owner"), a, indicator.RecordMeasurement{
		MeasurementID: uuid.NewString(), Period: in(2001), Value: indicator.Stated{Number: "1"},
	}))
	call := w.as("owner")
	items := []command.BatchItem{record(a, 2001, "2"), void(a, 2001), correct(a, 2009, "3")}
	results, err := w.commands.Indicators.RecordBatch(t.Context(), call, items)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{indicator.ErrMeasured.Rule, "ok", indicator.ErrNotLiving.Rule}, told(results)); diff != "" {
		t.Fatal(diff)
	}
	w.must(w.commands.Indicators.Execute(t.Context(), w.as("owner"), a, indicator.RecordMeasurement{
		MeasurementID: uuid.NewString(), Period: in(2009), Value: indicator.Stated{Number: "1"},
	}))
	results, err = w.process().Indicators.RecordBatch(t.Context(), call, items)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{indicator.ErrMeasured.Rule, "again", "ok"}, told(results)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"2009": "3"}, w.live(a)); diff != "" {
		t.Error(diff)
	}
}

// The key is known wherever the first accepted item was, and stays there when
// an indicator before it would be accepted later.
func TestTheKeyOfABatchIsKnownWhateverWasRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := w.scores(3)
	call := w.as("owner")
	items := []command.BatchItem{correct(ids[0], 2001, "2"), record(ids[1], 2001, "3"), record(ids[2], 2001, "4")}
	results, err := w.commands.Indicators.RecordBatch(t.Context(), call, items)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{indicator.ErrNotLiving.Rule, "ok", "ok"}, told(results)); diff != "" {
		t.Fatal(diff)
	}
	w.must(w.commands.Indicators.Execute(t.Context(), w.as("owner"), ids[0], indicator.RecordMeasurement{
		MeasurementID: uuid.NewString(), Period: in(2001), Value: indicator.Stated{Number: "1"},
	}))
	other := call
	other.Hash = make([]byte, 32)
	_, err = w.process().Indicators.RecordBatch(t.Context(), other, items)
	refused(t, err, eventlog.ErrCommandReused)
	_, err = w.commands.Indicators.Execute(t.Context(), other, ids[0], items[0].Command)
	refused(t, err, eventlog.ErrCommandReused)
	results, err = w.process().Indicators.RecordBatch(t.Context(), call, items)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"ok", "again", "again"}, told(results)); diff != "" {
		t.Error(diff)
	}
}

// A batch whose events are more than one append holds goes in several, and is
// found again in all of them.
func TestABatchOfMoreThanOneAppend(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.scores(1)[0]
	before := len(w.stream("indicator-" + a.String()))
	var items []command.BatchItem
	for n := range command.MaxBatchItems / 2 {
		items = append(items, record(a, 2000, fmt.Sprint(n%2*9)), void(a, 2000)) // each changes the health
	}
	call := w.as("owner")
	results, err := w.commands.Indicators.RecordBatch(t.Context(), call, items)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(slices.DeleteFunc(told(results), func(s string) bool { return s == "ok" })); n != 0 {
		t.Fatalf("%d items were refused", n)
	}
	events := w.stream("indicator-" + a.String())[before:]
	appends := 0
	for _, e := range events {
		if e.CommandID != uuid.Nil {
			appends++
		}
	}
	if len(events) != 2*command.MaxBatchItems || appends != 2 {
		t.Errorf("%d events in %d appends, want %d in 2", len(events), appends, 2*command.MaxBatchItems)
	}
	again, err := w.process().Indicators.RecordBatch(t.Context(), call, items)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(results, again, cmpopts.IgnoreFields(command.Result{}, "Replayed")); diff != "" {
		t.Error(diff)
	}
}

func TestBatchesThatAreRefusedAsAWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.scores(1)[0]
	_, err := w.commands.Indicators.RecordBatch(t.Context(), w.as("owner"), nil)
	refused(t, err, refusal.Invalid)
	_, err = w.commands.Indicators.RecordBatch(t.Context(), w.as("owner"), make([]command.BatchItem, command.MaxBatchItems+1))
	refused(t, err, refusal.Invalid)
	_, err = w.commands.Indicators.RecordBatch(t.Context(), command.Call{}, []command.BatchItem{record(a, 2001, "1")})
	refused(t, err, command.ErrIncomplete)
	_, err = w.commands.Indicators.RecordBatch(t.Context(), w.as("stranger"), []command.BatchItem{record(a, 2001, "1")})
	refused(t, err, command.ErrNotMember)
	results, err := w.commands.Indicators.RecordBatch(t.Context(), w.as("author"), []command.BatchItem{record(a, 2001, "1")})
	if err != nil {
		t.Fatal(err)
	}
	refused(t, results[0].Err, authz.ErrRole)
	if got := w.live(a); len(got) > 0 {
		t.Errorf("recorded %v", got)
	}
}

// A role that another process gave a moment ago counts.
func TestABatchLooksAgainBeforeItRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.scores(1)[0]
	w.enrol("owner2")
	other := w.process()
	batch := func() []string {
		t.Helper()
		results, err := other.Indicators.RecordBatch(t.Context(), w.as("owner2"), []command.BatchItem{record(a, 2002, "1"), correct(a, 2002, "4")})
		if err != nil {
			t.Fatal(err)
		}
		return told(results)
	}
	if diff := cmp.Diff([]string{authz.ErrRole.Rule, authz.ErrRole.Rule}, batch()); diff != "" {
		t.Error(diff)
	}
	w.must(w.commands.Organizations.Execute(t.Context(), w.as("admin"), w.org, organization.GrantRole{
		GrantID: uuid.NewString(), MemberID: w.members["owner2"], Role: authz.IndicatorOwner, Scope: organization.Scope{All: true},
	}))
	if diff := cmp.Diff([]string{"ok", "ok"}, batch()); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkBatch(b *testing.B) {
	for name, n := range map[string]int{"one indicator": 1, "fifty indicators": 50} {
		b.Run("memory, "+name, func(b *testing.B) { benchmarkBatch(b, newWorldOn(b, &memory.Log{}), n) })
		b.Run("postgres, "+name, func(b *testing.B) { benchmarkBatch(b, newWorldOn(b, realLog(b)), n) })
	}
}

func benchmarkBatch(b *testing.B, w *world, indicators int) {
	ids := w.scores(indicators)
	items := make([]command.BatchItem, command.MaxBatchItems)
	year := 0
	for b.Loop() {
		if year += len(items) / len(ids); year > 2_000 {
			b.StopTimer()
			ids, year = w.scores(indicators), len(items)/len(ids)
			b.StartTimer()
		}
		for n := range items {
			items[n] = record(ids[n%len(ids)], year-n/len(ids), "6.25")
		}
		results, err := w.commands.Indicators.RecordBatch(b.Context(), w.as("owner"), items)
		if err != nil || results[0].Err != nil {
			b.Fatal(err, results[0].Err)
		}
	}
	b.ReportMetric(float64(b.N*len(items))/b.Elapsed().Seconds(), "items/s")
}
