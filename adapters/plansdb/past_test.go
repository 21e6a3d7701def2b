package plansdb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"strata.dev/strata/adapters/internal/readdb/readdbtest"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/query"
)

// logPast looks back in the log itself: it gives more than is needed of a
// strategy, the streams of all indicators.
type logPast struct{ log *readdbtest.Log }

func (p logPast) Moment(ctx context.Context, r query.Read) (query.Cut, error) {
	events, err := p.log.Read(ctx, 0, 1_000_000)
	c := query.Cut{Position: r.AsOf.Position, At: time.Unix(0, 0).UTC(), Quiet: int64(len(events))}
	for _, e := range events {
		switch {
		case e.OrganizationID != r.OrganizationID:
		case e.Position <= r.AsOf.Position:
			c.Last, c.LastID, c.At = e.Position, e.ID, e.RecordedAt
		default:
			c.Quiet = min(c.Quiet, e.Position-1)
		}
	}
	return c, err
}

func (p logPast) Everything(ctx context.Context, r query.Read, after int64, limit int) ([]eventlog.Event, error) {
	events, err := p.log.Read(ctx, after, 1_000_000)
	events = slices.DeleteFunc(slices.Clone(events), func(e eventlog.Event) bool {
		return e.OrganizationID != r.OrganizationID || e.Position > r.AsOf.Position
	})
	return events[:min(limit, len(events))], err
}

func (p logPast) Recorded(ctx context.Context, r query.Read, streamID string, after int64) (query.Recorded, error) {
	events, err := p.log.Read(ctx, 0, 1_000_000)
	cut, err2 := p.Moment(ctx, r)
	out := query.Recorded{Cut: cut}
	for _, e := range events {
		if e.Position > r.AsOf.Position || e.OrganizationID != r.OrganizationID {
			continue
		}
		if e.Position == after {
			out.Anchor = e.ID
		}
		if e.StreamID == streamID || strings.HasPrefix(streamID, "strategy-") && strings.HasPrefix(e.StreamID, "indicator-") {
			if e.Position > after {
				out.Events = append(out.Events, e)
			}
		}
	}
	return out, errors.Join(err, err2)
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
	Lists      map[string][]any
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
		map[string][]any{},
	}
	f.askLists(t, r, w, a)
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
	for _, name := range []string{"members", "approvals", "sources", "external", "strategies ", "findings grave", "person " + w.Members()[0].String()} {
		if len(then[len(then)-1].Lists[name]) == 0 || cmp.Equal(then[0].Lists[name], then[len(then)-1].Lists[name]) {
			t.Errorf("list %s does not change: it is not tested", name)
		}
	}
	if voids == 0 || formers == 0 || breaks == 0 || len(then[0].Governance) == 0 {
		t.Errorf("%d voids, %d former values, %d breaks, %d findings and so on: not all is tested", voids, formers, breaks, len(then[0].Governance))
	}
}

// pages asks for all pages of a list.
func pages(ask func(query.Paging) (page any, next string, err error)) (all []any, err error) {
	for p := (query.Paging{Limit: 3, Count: true}); ; {
		page, next, err := ask(p)
		if err != nil {
			return all, err
		}
		all = append(all, page)
		if p.Cursor = next; next == "" {
			return all, nil
		}
	}
}

// listOf is how a list of pages is asked for.
func listOf[T any](ask func(query.Paging) (query.Page[T], error)) func(query.Paging) (any, string, error) {
	return func(p query.Paging) (any, string, error) {
		page, err := ask(p)
		next := page.NextCursor
		page.NextCursor, page.Position = "", 0
		return page, next, err
	}
}

// askLists asks for every list and report, in small pages.
func (f *fixture) askLists(t *testing.T, r query.Read, w *readdbtest.World, a answers) {
	t.Helper()
	ctx := t.Context()
	lists := map[string]func(query.Paging) (any, string, error){
		"members": listOf(func(p query.Paging) (query.Page[query.Member], error) { return f.reader.Members(ctx, r, p) }),
		"holds placed": listOf(func(p query.Paging) (query.Page[query.LegalHold], error) {
			return f.reader.Holds(ctx, r, query.HoldFilter{State: "placed", Paging: p})
		}),
		"approvals": listOf(func(p query.Paging) (query.Page[query.ApprovalRecord], error) {
			return f.reader.Approvals(ctx, r, query.ApprovalFilter{Paging: p})
		}),
		"imports": listOf(func(p query.Paging) (query.Page[query.Import], error) {
			return f.reader.Imports(ctx, r, query.ImportFilter{Paging: p})
		}),
		"evidence": listOf(func(p query.Paging) (query.Page[query.EvidenceSummary], error) {
			return f.reader.EvidenceList(ctx, r, query.EvidenceFilter{Paging: p})
		}),
		"sources": listOf(func(p query.Paging) (query.Page[query.Source], error) {
			return f.reader.Sources(ctx, r, query.SourceFilter{Paging: p})
		}),
		"organization": func(query.Paging) (any, string, error) {
			o, err := f.reader.Organization(ctx, r)
			o.Position = 0
			return o, "", err
		},
		"external": func(p query.Paging) (any, string, error) {
			x, err := f.reader.ExternalChanges(ctx, r, query.ExternalFilter{Paging: p})
			next := x.NextCursor
			x.NextCursor, x.Position = "", 0
			return x, next, err
		},
	}
	for _, state := range []string{"", "active", "on_hold"} {
		lists["strategies "+state] = listOf(func(p query.Paging) (query.Page[query.StrategySummary], error) {
			return f.reader.Strategies(ctx, r, query.StrategyFilter{State: state, Paging: p})
		})
	}
	for name, filter := range map[string]query.FindingFilter{
		"": {}, "open": {State: []string{"open", "assigned"}}, "grave": {Severity: []string{"high", "critical"}}, "expiring": {ExpiringWithin: new(400)},
	} {
		lists["findings "+name] = func(p query.Paging) (any, string, error) {
			filter.Paging = p
			b, err := f.reader.Findings(ctx, r, filter)
			next := b.NextCursor
			b.NextCursor, b.Position = "", 0
			return b, next, err
		}
	}
	for _, id := range w.Members() {
		lists["person "+id.String()] = func(query.Paging) (any, string, error) {
			p, err := f.reader.Person(ctx, r, id)
			p.Position = 0
			return p, "", err
		}
	}
	for name, ask := range lists {
		all, err := pages(ask)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		a.Lists[name] = all
	}
}
