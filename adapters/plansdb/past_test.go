package plansdb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/internal/readdb/readdbtest"
	"strata.dev/strata/app/query"
)

// logPast looks back in the log itself: it gives more than is needed of a
// strategy, the streams of all indicators.
type logPast struct{ log *readdbtest.Log }

func (p logPast) Recorded(ctx context.Context, r query.Read, streamID string) (query.Recorded, error) {
	events, err := p.log.Read(ctx, 0, 1_000_000)
	out := query.Recorded{Position: r.AsOf.Position}
	for _, e := range events {
		if e.Position > r.AsOf.Position || e.OrganizationID != r.OrganizationID {
			continue
		}
		out.At = e.RecordedAt
		if e.StreamID == streamID || strings.HasPrefix(streamID, "strategy-") && strings.HasPrefix(e.StreamID, "indicator-") {
			out.Events = append(out.Events, e)
		}
	}
	return out, err
}

// answers is all that can be asked as of the past.
type answers struct {
	Strategies map[string][]query.Strategy
	Cards      map[string][]query.Scorecard
	Indicators map[string]query.Indicator
	Series     map[string][]query.SeriesPoint
	Breaks     map[string][]query.Break
	Refusals   map[string]string
	Governance map[string]any
}

// ask asks everything, in small pages, of the present or as of then.
func (f *fixture) ask(t *testing.T, r query.Read, w *readdbtest.World, strategies, indicators []uuid.UUID) answers {
	t.Helper()
	ctx := t.Context()
	a := answers{
		map[string][]query.Strategy{},
		map[string][]query.Scorecard{},
		map[string]query.Indicator{},
		map[string][]query.SeriesPoint{},
		map[string][]query.Break{},
		map[string]string{},
		map[string]any{},
	}
	for _, id := range strategies {
		for _, content := range []string{"", query.WorkingContent, query.InForceContent} {
			key := id.String() + content
			s, err := f.reader.Strategy(ctx, r, query.StrategyAsk{ID: id, Content: content})
			if err != nil {
				a.Refusals[key] = err.Error()
				continue
			}
			s.Position = 0
			a.Strategies[key] = append(a.Strategies[key], s)
			for _, health := range []string{"", "on_track", "off_track"} {
				filter := query.ScorecardFilter{StrategyID: id, Content: content, Health: health, Paging: query.Paging{Limit: 2, Count: true}}
				for {
					card, err := f.reader.Scorecard(ctx, r, filter)
					if err != nil {
						t.Fatal(err)
					}
					filter.Cursor, card.NextCursor, card.Position = card.NextCursor, "", 0
					a.Cards[key+health] = append(a.Cards[key+health], card)
					if filter.Cursor == "" {
						break
					}
				}
			}
		}
	}
	f.askGovernance(t, r, w, a)
	for _, id := range indicators {
		i, err := f.reader.Indicator(ctx, r, id)
		if err != nil {
			a.Refusals[id.String()] = err.Error()
			continue
		}
		i.Position = 0
		a.Indicators[id.String()] = i
		filter := query.SeriesFilter{IndicatorID: id, Voided: true, From: "2012-01-01", To: "2022-06-01", Paging: query.Paging{Limit: 11, Count: true}}
		for pages := 0; ; pages++ {
			s, err := f.reader.Series(ctx, r, filter)
			if err != nil {
				t.Fatal(err)
			}
			a.Series[id.String()] = append(a.Series[id.String()], s.Items...)
			a.Breaks[id.String()] = s.Breaks
			if filter.Cursor = s.NextCursor; filter.Cursor == "" {
				if int(*s.Total) != len(a.Series[id.String()]) {
					t.Errorf("series: %d points counted, %d on %d pages", *s.Total, len(a.Series[id.String()]), pages+1)
				}
				break
			}
		}
	}
	return a
}

// askGovernance asks for every finding, piece of evidence and source there will
// ever be: those that were not there yet are refused.
func (f *fixture) askGovernance(t *testing.T, r query.Read, w *readdbtest.World, a answers) {
	t.Helper()
	note := func(id uuid.UUID, answer any, err error) {
		if err != nil {
			a.Refusals[id.String()] = err.Error()
			return
		}
		a.Governance[id.String()] = answer
	}
	for _, x := range w.Findings {
		q, err := f.reader.Finding(t.Context(), r, x.ID)
		q.Position = 0
		note(x.ID, q, err)
	}
	for _, x := range w.Evidence {
		q, err := f.reader.Evidence(t.Context(), r, x.ID)
		q.Position = 0
		note(x.ID, q, err)
	}
	for _, x := range w.Sources {
		q, err := f.reader.Source(t.Context(), r, x.ID)
		q.Position = 0
		note(x.ID, q, err)
	}
}

// What is asked as of a position later is what was answered at that position.
func TestThePastIsWhatWasAnsweredThen(t *testing.T) {
	f := setup(t, Options{})
	f.reader.LookBackIn(logPast{f.log})
	w := readdbtest.NewWorld(f.log, seeded(21))
	var at []int64
	var then []answers
	var strategies, indicators []uuid.UUID
	for range 5 {
		for range 60 {
			w.Step()
		}
		f.catchUp(t, 50)
		now := w.Log.Now().Add(-time.Second) // when the last event was recorded
		f.reader.now = func() time.Time { return now }
		strategies, indicators = nil, nil
		for _, s := range w.Strategies {
			strategies = append(strategies, s.ID)
		}
		for _, i := range w.Indicators {
			if i.State.Exists() {
				indicators = append(indicators, i.ID)
			}
		}
		head, err := f.log.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		at, then = append(at, head), append(then, f.ask(t, as(w), w, strategies, indicators))
	}
	voids, formers, breaks := 0, 0, 0
	for n, position := range at {
		r := as(w)
		r.AsOf.Position = position
		got := f.ask(t, r, w, strategies, indicators)
		// What did not exist yet is refused; it was not asked for then.
		for key := range got.Refusals {
			if _, asked := then[n].Refusals[key]; !asked {
				delete(got.Refusals, key)
			}
		}
		equal(t, fmt.Sprintf("as of %d", position), then[n], got)
		for _, points := range then[n].Series {
			for _, p := range points {
				formers += len(p.Former)
				if p.Void != nil {
					voids++
				}
			}
		}
		for _, b := range then[n].Breaks {
			breaks += len(b)
		}
	}
	if voids == 0 || formers == 0 || breaks == 0 || len(then[0].Governance) == 0 {
		t.Errorf("%d voids, %d former values, %d breaks, %d findings and so on: not all is tested", voids, formers, breaks, len(then[0].Governance))
	}
}

// The lists are of the present.
func TestListsRefuseThePast(t *testing.T) {
	f := setup(t, Options{})
	r := asID(uuid.New())
	r.AsOf.Position = 1
	ctx := t.Context()
	_, err1 := f.reader.Strategies(ctx, r, query.StrategyFilter{})
	_, err2 := f.reader.Approvals(ctx, r, query.ApprovalFilter{})
	_, err3 := f.reader.Imports(ctx, r, query.ImportFilter{})
	_, err4 := f.reader.Holds(ctx, r, query.HoldFilter{})
	_, err5 := f.reader.Members(ctx, r, query.Paging{})
	_, err6 := f.reader.Findings(ctx, r, query.FindingFilter{})
	_, err7 := f.reader.EvidenceList(ctx, r, query.EvidenceFilter{})
	_, err8 := f.reader.Sources(ctx, r, query.SourceFilter{})
	_, err9 := f.reader.ExternalChanges(ctx, r, query.ExternalFilter{})
	_, err10 := f.reader.Person(ctx, r, uuid.New())
	for n, err := range []error{err1, err2, err3, err4, err5, err6, err7, err8, err9, err10} {
		if !isInvalid(err) {
			t.Errorf("list %d: %v, want validation-failed", n, err)
		}
	}
}

func isInvalid(err error) bool { return errors.Is(err, query.ErrInvalid) }
