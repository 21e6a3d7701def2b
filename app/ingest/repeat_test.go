package ingest_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"strata.dev/strata/adapters/memory"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/ingest"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/source"
)

// sent is a message by its place in the story; each world signs its own.
type sent struct {
	id    string
	items []string // of the indicators first and second, and third, which it may not write
}

func (s sent) in(w *world) ingest.Message {
	items := make([]string, len(s.items))
	for i, item := range s.items {
		items[i] = strings.NewReplacer("first", w.indicators[0].String(), "second", w.indicators[1].String(), "third", w.indicators[3].String()).Replace(item)
	}
	return w.message(s.id, list(items...))
}

// outcome is everything that a story leads to, without ids that differ between worlds.
type outcome struct {
	Values     []map[string]string
	Changes    map[string]int // events of measurements, by what they say
	Rejections map[string]int
	Kept       int // pieces of evidence
	Settled    int
}

func (w *world) outcome() outcome {
	o := outcome{Changes: map[string]int{}, Rejections: map[string]int{}, Settled: w.inbox.Len(w.source)}
	for n := range w.indicators {
		o.Values = append(o.Values, w.live(n))
		bodies, facts := w.recorded("indicator-" + w.indicators[n].String())
		for i, b := range bodies {
			switch e := b.(type) {
			case indicator.MeasurementRecorded:
				o.Changes[fmt.Sprint(facts[i].Origin.MessageID, " records ", n, e.Period, e.OriginalText)]++
			case indicator.MeasurementCorrected:
				o.Changes[fmt.Sprint(facts[i].Origin.MessageID, " corrects ", n, e.Period, e.Old.OriginalText, " to ", e.New.OriginalText)]++
			}
		}
	}
	all, _ := w.rejections()
	for _, r := range all {
		o.Rejections[fmt.Sprint(r.SourceMessageID, r.Item, r.Code)]++
		id, err := w.log.ReadStream(w.t.Context(), w.org, "evidence-"+r.EvidenceID, 0, 0)
		if err != nil || len(id) != 1 {
			w.t.Fatalf("evidence %s: %d events, %v", r.EvidenceID, len(id), err)
		}
	}
	events, err := w.log.Read(w.t.Context(), 0, 1_000_000)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range events {
		if e.Type == "evidence.registered" {
			o.Kept++
		}
	}
	return o
}

// deliver gives a message until it is settled, as a queue does. The process may
// die at any append, or before the inbox knows.
func (w *world) deliver(t *rapid.T, m ingest.Message) ingest.Answer {
	for range 20 {
		if rapid.IntRange(0, 2).Draw(t, "trouble") == 0 {
			at := rapid.IntRange(1, 5).Draw(t, "append")
			switch rapid.IntRange(0, 2).Draw(t, "kind") {
			case 0:
				w.log.failing(at, 0)
			case 1:
				w.log.failing(0, at)
			case 2:
				w.inbox.Forget = func(ingest.MessageKey) error { w.inbox.Forget = nil; return eventlog.ErrUnavailable }
			}
		}
		a, err := w.intake.Take(w.t.Context(), m)
		w.log.failing(0, 0)
		w.inbox.Forget = nil
		if a.Settled {
			if err != nil && !errors.Is(err, ingest.ErrMalformed) && !errors.Is(err, ingest.ErrConflict) {
				t.Fatalf("settled with %v", err)
			}
			return a
		}
		if !errors.Is(err, eventlog.ErrUnavailable) && !errors.Is(err, eventlog.ErrOutcomeUnknown) {
			t.Fatalf("%+v, %v", a, err)
		}
		if rapid.Bool().Draw(t, "dies") {
			w.restart()
		}
	}
	t.Fatal("never settled")
	return ingest.Answer{}
}

// drawn draws messages. If they are to come in any order, no two say anything
// about the same key.
func drawn(t *rapid.T, anyOrder bool) []sent {
	values := []string{`1`, `"2.0"`, `2`, `3`, `"n/a"`}
	all := make([]sent, rapid.IntRange(1, 5).Draw(t, "messages"))
	for n := range all {
		all[n].id = fmt.Sprint("m-", n)
		for i := range rapid.IntRange(1, 5).Draw(t, "items") {
			year := 2000 + rapid.IntRange(0, 2).Draw(t, "year")
			if anyOrder {
				year = 1900 + 10*n + i
			}
			which := rapid.SampledFrom([]string{"first", "second", "third"}).Draw(t, "indicator")
			value := rapid.SampledFrom(values).Draw(t, "value")
			all[n].items = append(all[n].items, item(which, year, `"value":`+value))
		}
	}
	return all
}

// Whatever comes again, in whatever order, and wherever the process dies: the end
// is that of one clean delivery, and every effect is there once.
func TestRepetitionsAndCrashesLeaveOneEffect(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		anyOrder := rapid.Bool().Draw(r, "any order")
		story := drawn(r, anyOrder)
		clean, rough := newWorld(t), newWorld(t)
		answers := map[string]string{}
		for _, s := range story {
			answers[s.id] = statuses(clean.take(s.in(clean)))
		}
		order := make([]int, len(story))
		for i := range order {
			order[i] = i
		}
		if anyOrder {
			order = rapid.Permutation(order).Draw(r, "order")
		}
		got := map[string]string{}
		hear := func(n int) {
			a := rough.deliver(r, story[n].in(rough))
			if s, ok := got[story[n].id]; ok && s != statuses(a) {
				r.Fatalf("%s: first %s, then %s", story[n].id, s, statuses(a))
			}
			got[story[n].id] = statuses(a)
		}
		for i, n := range order {
			hear(n)
			for range rapid.IntRange(0, 2).Draw(r, "again") {
				hear(order[rapid.IntRange(0, i).Draw(r, "which")])
			}
		}
		if !maps.Equal(answers, got) {
			r.Errorf("answers (-clean +rough):\n%s", cmp.Diff(answers, got))
		}
		if diff := cmp.Diff(clean.outcome(), rough.outcome()); diff != "" {
			r.Errorf("(-clean +rough):\n%s", diff)
		}
	})
}

// A message that was decided to its end and not entered in the inbox is not
// decided otherwise later, although it could be taken by then.
func TestWhatWasRefusedStaysRefused(t *testing.T) {
	w := newWorld(t)
	m := w.message("m", list(w.item(0, 2020, `1`), w.item(3, 2020, `1`)))
	w.inbox.Forget = func(ingest.MessageKey) error { return eventlog.ErrUnavailable }
	if a, err := w.intake.Take(t.Context(), m); a.Settled || !errors.Is(err, eventlog.ErrUnavailable) {
		t.Fatalf("%+v, %v", a, err)
	}
	w.inbox.Forget = nil
	w.terms(source.ReinstateSource{AllowedIndicators: []source.Allowed{{IndicatorID: w.indicators[0].String()}, {IndicatorID: w.indicators[3].String()}}})
	w.restart()
	head := w.head()
	if a := w.take(m); statuses(a) != "recorded not_allowed" || w.head() != head {
		t.Errorf("%+v, %d more events", a, w.head()-head)
	}
	// And another body under its id is another message, also if the inbox knows of none.
	w.inbox = &memory.Inbox{}
	w.restart()
	if a, err := w.intake.Take(t.Context(), w.message("m", w.item(1, 2020, `1`))); !errors.Is(err, ingest.ErrConflict) || !a.Settled || len(w.live(1)) != 0 {
		t.Errorf("%+v, %v", a, err)
	}
	if a := w.take(w.message("n", w.item(3, 2020, `1`))); statuses(a) != "recorded" {
		t.Errorf("%+v", a)
	}
}
