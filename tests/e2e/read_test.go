package e2e_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"strata.dev/strata/app/cloudevents"
	"strata.dev/strata/domain/quantity"
	"strata.dev/strata/tests/system"
)

// node is an element of a plan, as both the document and the tree have it.
type node struct{ Name, Identifier, Unit string }

// sameTree compares the tree with the document: goals and objectives in order,
// the indicators of an objective in any, since an import records several at a time.
func sameTree(t *testing.T, s *system.System, service *system.Service, p plan, answer imported) {
	t.Helper()
	var got struct {
		Name, State string
		Tree        []struct {
			node
			Objectives []struct {
				node
				Indicators []node
			}
		}
	}
	system.MustGet(t, s.Client(service.Base, "vera"), "/v1/strategies/"+answer.StrategyID, answer.Position, &got)
	var have, want []string
	line := func(depth int, n node) string {
		return fmt.Sprintf("%s%s (%s) %s", strings.Repeat("  ", depth), text(n.Name), n.Identifier, text(n.Unit))
	}
	for _, g := range got.Tree {
		have = append(have, line(0, g.node))
		for _, o := range g.Objectives {
			have = append(have, line(1, o.node))
			for _, i := range o.Indicators {
				have = append(have, line(2, i))
			}
		}
	}
	for _, g := range p.Goals {
		want = append(want, line(0, node{g.Name, g.Identifier, ""}))
		for _, o := range g.Objectives {
			want = append(want, line(1, node{o.Name, o.Identifier, ""}))
			for _, i := range o.Indicators {
				want = append(want, line(2, node{i.Name, i.Identifier, i.Unit}))
			}
		}
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("the tree is not the document's (-document +tree):\n%s", diff)
	}
	if text(got.Name) != text(p.Name) || got.State != "preparing" {
		t.Errorf("the strategy is %q, %s; the document is %q", got.Name, got.State, p.Name)
	}
}

// point is a value of a series, as both the document and the answers have it.
type point struct {
	Kind, Start, End string
	Text             string // as written
	Value            string // exact
	Descriptor       string
}

// points are what the document states about an indicator, in the order of a series.
func (i indicator) points(t *testing.T) (all []point) {
	t.Helper()
	add := func(kind string, results []result) {
		for _, r := range results {
			if r.empty() {
				continue
			}
			units := strings.TrimSpace(r.Units)
			exact, ok := quantity.Parse(units)
			if units != "" && !ok {
				t.Fatalf("the document has a number %q", units)
			}
			all = append(all, point{kind, r.Start, r.End, units, string(exact), text(r.Descriptor)})
		}
	}
	add("target", i.Targets)
	add("measurement", i.Actuals)
	slices.SortFunc(all, comparePoints)
	return all
}

func comparePoints(a, b point) int {
	return strings.Compare(a.Start+a.End+a.Kind, b.Start+b.End+b.Kind)
}

// answered is a point as the API gives it.
type answered struct {
	Kind         string
	Period       struct{ Start, End string }
	Value        string
	OriginalText string
	Descriptor   string
}

func (a answered) point() point {
	return point{a.Kind, a.Period.Start, a.Period.End, a.OriginalText, a.Value, text(a.Descriptor)}
}

// scorecardLine is a line of a scorecard.
type scorecardLine struct {
	ID, Name, Identifier string
	GoalID, Health       string
	Actual               *answered
}

func scorecard(t *testing.T, s *system.System, service *system.Service, answer imported) (goals []struct {
	GoalID, Name string
	Indicators   int
}, lines []scorecardLine,
) {
	t.Helper()
	var card struct {
		Goals []struct {
			GoalID, Name string
			Indicators   int
		}
		Items []scorecardLine
	}
	system.MustGet(t, s.Client(service.Base, "vera"), "/v1/strategies/"+answer.StrategyID+"/scorecard?limit=200", answer.Position, &card)
	return card.Goals, card.Items
}

// sameScorecard compares the latest measurement of every indicator with the document.
func sameScorecard(t *testing.T, s *system.System, service *system.Service, p plan, answer imported) {
	t.Helper()
	goals, lines := scorecard(t, s, service, answer)
	want := p.indicators()
	if len(lines) != len(want) || len(goals) != len(p.Goals) {
		t.Fatalf("the scorecard has %d lines and %d goals, the document %d and %d", len(lines), len(goals), len(want), len(p.Goals))
	}
	for n, g := range p.Goals {
		below := 0
		for _, o := range g.Objectives {
			below += len(o.Indicators)
		}
		if text(goals[n].Name) != text(g.Name) || goals[n].Indicators != below {
			t.Errorf("goal %d is %+v, the document has %q with %d indicators", n+1, goals[n], g.Name, below)
		}
	}
	byIdentifier := map[string]scorecardLine{}
	for _, l := range lines {
		byIdentifier[l.Identifier] = l
	}
	for _, i := range want {
		l, ok := byIdentifier[i.Identifier]
		if !ok || text(l.Name) != text(i.Name) {
			t.Errorf("indicator %s (%s) is on the scorecard as %+v", i.Identifier, i.Name, l)
			continue
		}
		measured := slices.DeleteFunc(i.points(t), func(p point) bool { return p.Kind != "measurement" })
		if len(measured) == 0 {
			if l.Actual != nil {
				t.Errorf("indicator %s has a value %+v and the document none", i.Identifier, *l.Actual)
			}
			continue
		}
		latest := measured[len(measured)-1]
		if l.Actual == nil {
			t.Errorf("indicator %s has no value, the document %+v", i.Identifier, latest)
			continue
		}
		l.Actual.Kind = "measurement"
		if l.Actual.point() != latest {
			t.Errorf("indicator %s stands at %+v, in the document at %+v", i.Identifier, l.Actual.point(), latest)
		}
	}
}

// sameSeries compares every point of every series with the document.
func sameSeries(t *testing.T, s *system.System, service *system.Service, p plan, answer imported) (compared int) {
	t.Helper()
	_, lines := scorecard(t, s, service, answer)
	ids := map[string]string{}
	for _, l := range lines {
		ids[l.Identifier] = l.ID
	}
	for _, i := range p.indicators() {
		var have []point
		for cursor := ""; ; {
			var page struct {
				Items      []answered
				NextCursor string
			}
			system.MustGet(t, s.Client(service.Base, "vera"), "/v1/indicators/"+ids[i.Identifier]+"/series?limit=200"+cursor, answer.Position, &page)
			for _, a := range page.Items {
				have = append(have, a.point())
			}
			if page.NextCursor == "" {
				break
			}
			cursor = "&cursor=" + url.QueryEscape(page.NextCursor)
		}
		slices.SortFunc(have, comparePoints)
		want := i.points(t)
		if diff := cmp.Diff(want, have); diff != "" {
			t.Fatalf("the series of indicator %s (%s) is not the document's (-document +series):\n%s", i.Identifier, i.Name, diff)
		}
		compared += len(want)
	}
	return compared
}

// nothingIsMissing compares the whole log with what the consumer got, with the
// event feed, and with the history that auditors read.
func nothingIsMissing(t *testing.T, s *system.System, service *system.Service, consumer *system.Consumer) {
	log := s.Log(t)
	head := log[len(log)-1].Position
	consumer.Await(t, head, arrival)
	for n, v := range system.Check(system.Given(head), nil, log, consumer.Deliveries(t), feed(t, s, service, head)) {
		if n < 10 {
			t.Error(v)
		}
	}
	streams := map[string][]system.Record{}
	for _, r := range log {
		streams[r.Stream] = append(streams[r.Stream], r)
	}
	histories := 0
	for stream, want := range streams {
		kind, id, _ := strings.Cut(stream, "-")
		if kind == "organization" || kind == "source" || kind == "journal" || histories > 20 && kind == "indicator" {
			continue // organizations, sources and journals have no page of their history; indicators are all alike
		}
		histories++
		path := map[string]string{"strategy": "/v1/strategies/", "indicator": "/v1/indicators/"}[kind] + id + "/events"
		if diff := cmp.Diff(ids(want), history(t, s, service, path, head)); diff != "" {
			t.Errorf("the history of %s is not the log's (-log +history):\n%s", stream, diff)
		}
	}
	t.Logf("%d events in the log, all of them at the consumer, in the feed, and (%d streams) in the histories", len(log), histories)
}

func ids(records []system.Record) (list []string) {
	for _, r := range records {
		list = append(list, fmt.Sprintf("%d %s %s", r.Version, r.Type, r.ID))
	}
	return list
}

// feed reads all events by HTTP, as a consumer without a queue does.
func feed(t *testing.T, s *system.System, service *system.Service, head int64) (all []system.Delivery) {
	t.Helper()
	arlo := s.Client(service.Base, "arlo")
	for after := int64(0); after < head; {
		var batch []json.RawMessage
		system.MustGet(t, arlo, fmt.Sprintf("/v1/events?after=%d&limit=200", after), head, &batch)
		if len(batch) == 0 {
			t.Fatalf("the feed ends behind position %d, the log at %d", after, head)
		}
		for _, document := range batch {
			m, err := cloudevents.Decode(document)
			if err != nil {
				t.Fatal(err)
			}
			if m.Position > head {
				return all // that this was read has been recorded meanwhile
			}
			all = append(all, system.Delivery{ID: m.ID, Position: m.Position, Version: m.StreamVersion, Stream: m.StreamID, Digest: sha256.Sum256(m.Data)})
			after = m.Position
		}
	}
	return all
}

// history reads all pages of a stream's history.
func history(t *testing.T, s *system.System, service *system.Service, path string, head int64) (all []string) {
	t.Helper()
	for cursor := ""; ; {
		var page struct {
			Items []struct {
				Version  int64 `json:",string"`
				Type, ID string
				ActorID  string
			}
			NextCursor string
		}
		system.MustGet(t, s.Client(service.Base, "arlo"), path+"?limit=200"+cursor, head, &page)
		for _, e := range page.Items {
			if e.ActorID == "" {
				t.Errorf("nobody did %s", e.ID)
			}
			all = append(all, fmt.Sprintf("%d %s %s", e.Version, e.Type, e.ID))
		}
		if page.NextCursor == "" {
			return all
		}
		cursor = "&cursor=" + url.QueryEscape(page.NextCursor)
	}
}

// readAlways asks for a scorecard again and again: it is never empty, half, or
// older than before. stop ends it and says how often it asked.
func readAlways(t *testing.T, s *system.System, service *system.Service, answer imported) (stop func() int) {
	ctx, cancel := context.WithCancel(t.Context())
	vera := s.Client(service.Base, "vera")
	read, reading := 0, sync.WaitGroup{}
	reading.Go(func() {
		for ctx.Err() == nil {
			var card struct{ Items []scorecardLine }
			got, err := system.Get(ctx, vera, "/v1/strategies/"+answer.StrategyID+"/scorecard?limit=200", answer.Position)
			if err == nil {
				err = got.Decode(&card)
			}
			if ctx.Err() == nil && (err != nil || len(card.Items) != 104) {
				t.Errorf("a scorecard of %d lines, %v", len(card.Items), err)
				return
			}
			read++
		}
	})
	stop = sync.OnceValue(func() int {
		cancel()
		reading.Wait()
		return read
	})
	t.Cleanup(func() { stop() })
	return stop
}
