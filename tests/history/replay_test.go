package history_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"strata.dev/strata/ports/rest/restclient"
	"strata.dev/strata/tests/history"
)

// Every accepted change goes in through the public API, in the order in which
// it was accepted. The log then holds each with the value that was there before;
// after each the table has as many rows as the published one had; and the tables
// of today, and of days between, are the published ones of those days.
func TestAcceptedChangesReplayed(t *testing.T) {
	for _, s := range []source{part, whole} {
		t.Run(s.name, func(t *testing.T) {
			changes := s.read(t)
			w := newWorld(t, s.checked)
			began := time.Now()
			until := w.replay(changes)
			replayed := time.Since(began)
			w.catchUp("/v1/events?limit=1")
			have := w.sameLog(changes, until)
			judged := time.Since(began) - replayed
			for _, c := range changes {
				have.accepted(c)
			}
			if have.Indicators = len(w.indicator); have != s.want {
				t.Errorf("the log holds %+v, want %+v", have, s.want)
			}
			w.catchUp("/v1/strategies/" + w.strategy)
			w.sameTables(changes, until)
			t.Logf("%d changes with %d values in %s (%.0f a second); the log judged in %s, tables of %d days in %s", len(changes),
				have.Recorded+have.Corrected+have.Voided, replayed.Round(time.Millisecond), float64(have.Recorded+have.Corrected+have.Voided)/replayed.Seconds(),
				judged.Round(time.Millisecond), days+1, (time.Since(began) - replayed - judged).Round(time.Millisecond))
		})
	}
}

// replay sends every change and gives the position at which each was done.
func (w *world) replay(changes []history.Change) (until []int64) {
	w.t.Helper()
	columns := map[string][]string{}
	for n, c := range changes {
		if before, ok := columns[c.Indicator]; !ok {
			objective := w.objectiveOf("The 2030 Agenda as the United Kingdom reports it", goalOf(c.Indicator))
			w.define(objective, c.Indicator, map[string]any{
				"identifier": c.Indicator, "name": "Indicator " + c.Indicator, "unit": "as published", "type": "quantitative",
				"direction": "undefined", "frequency": "irregular", "dimensions": history.Dimensions(c.Dims),
			})
		} else if !history.SameColumns(before, c.Dims) {
			// The table was rebuilt: its values are not comparable with those before.
			w.post("sam", "/v1/indicators/"+w.indicator[c.Indicator]+"/commands/redefine", map[string]any{
				"changes":            []any{map[string]any{"field": "dimensions", "new": map[string]any{"dimensions": history.Dimensions(c.Dims)}}},
				"comparabilityBreak": true, "reason": c.Kind + " in commit " + c.Commit,
			}, nil)
		}
		columns[c.Indicator] = c.Dims
		if refused := w.measure(history.Items(w.indicator[c.Indicator], c)); len(refused) > 0 {
			w.t.Fatalf("commit %s, indicator %s: %d items were refused, the first as %s", c.Commit, c.Indicator, len(refused), refused[0])
		}
		until = append(until, w.head)
		if w.after != nil {
			w.after(n)
		}
	}
	return until
}

// logged is an event of the feed.
type logged struct {
	Type         string
	Sequence     string
	PartitionKey string
	Data         struct {
		MeasurementID string
		Period        history.Period
		Dims          map[string]string
		Reason        string
		history.Reading
		Old, New *history.Reading
	}
}

func (e logged) position(t *testing.T) int64 {
	n, err := strconv.ParseInt(e.Sequence, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// feed gives every event of the organization to each, oldest first.
func (w *world) feed(each func(logged)) {
	w.t.Helper()
	for after := int64(0); ; {
		answer, err := w.as("arlo").Do(w.t.Context(), restclient.Request{
			Method: http.MethodGet, Path: fmt.Sprintf("/v1/events?limit=200&after=%d", after), MinPosition: w.head,
			Header: http.Header{"Prefer": {"wait=10"}},
		})
		if err != nil {
			w.t.Fatal(err)
		}
		var events []logged
		if err := answer.Decode(&events); err != nil {
			w.t.Fatal(err)
		}
		for _, e := range events {
			each(e)
			after = e.position(w.t)
		}
		if len(events) == 0 {
			return
		}
	}
}

// sameLog follows the log event by event beside the published changes: what each
// event says was there before was there, each change did all that it says and
// nothing else, and left as many rows as were published.
func (w *world) sameLog(changes []history.Change, until []int64) (have counts) {
	w.t.Helper()
	type value struct{ text, id string }
	number := map[string]string{}
	live := map[string]map[string]value{}
	for n, id := range w.indicator {
		number["indicator-"+id], live[n] = n, map[string]value{}
	}
	next, done := 0, counts{}
	settle := func(position int64) { // every change before position is complete
		for ; next < len(changes) && until[next] < position; next++ {
			c := changes[next]
			if done.Recorded != len(c.Added) || done.Corrected != len(c.Changed) || done.Voided != len(c.Removed) || len(live[c.Indicator]) != c.RowsAfter {
				w.t.Fatalf("commit %s, indicator %s: recorded %d of %d, corrected %d of %d, voided %d of %d; %d rows after it, published were %d",
					c.Commit, c.Indicator, done.Recorded, len(c.Added), done.Corrected, len(c.Changed), done.Voided, len(c.Removed), len(live[c.Indicator]), c.RowsAfter)
			}
			done = counts{}
		}
	}
	last := int64(0)
	w.feed(func(e logged) {
		last = e.position(w.t)
		kind := strings.TrimSuffix(e.Type[strings.Index(e.Type, ".indicator.")+1:], ".v1")
		if kind == "indicator.redefined" {
			have.Redefinition++
		}
		if !strings.HasPrefix(kind, "indicator.measurement-") {
			return
		}
		settle(last)
		c, n := changes[next], number[e.PartitionKey]
		if n != c.Indicator {
			w.t.Fatalf("position %d is about indicator %s, and commit %s changed %s", last, n, c.Commit, c.Indicator)
		}
		at := history.Place{Period: e.Data.Period, Dims: dimsOf(e.Data.Dims)}.Key()
		was := live[n][at]
		switch kind {
		case "indicator.measurement-recorded":
			if was.id != "" {
				w.t.Fatalf("position %d records %s at %s, where %q is", last, n, at, was.text)
			}
			live[n][at] = value{e.Data.Text(), e.Data.MeasurementID}
			have.recorded(e.Data.Value)
			done.Recorded++
		case "indicator.measurement-corrected":
			if was.id != e.Data.MeasurementID || was.text != e.Data.Old.Text() || was.text == e.Data.New.Text() {
				w.t.Fatalf("position %d corrects %s at %s from %q to %q, where %q was", last, n, at, e.Data.Old.Text(), e.Data.New.Text(), was.text)
			}
			live[n][at] = value{e.Data.New.Text(), was.id}
			have.corrected(was.text, e.Data.New.Text(), e.Data.New.Value)
			done.Corrected++
		case "indicator.measurement-voided":
			if was.id != e.Data.MeasurementID || was.text != e.Data.Old.Text() {
				w.t.Fatalf("position %d voids %s at %s, %q, where %q was", last, n, at, e.Data.Old.Text(), was.text)
			}
			delete(live[n], at)
			done.Voided, have.Voided = done.Voided+1, have.Voided+1
		default:
			w.t.Fatalf("position %d is a %s", last, kind)
		}
	})
	settle(last + 1)
	if next != len(changes) {
		w.t.Fatalf("the log ends with change %d of %d", next, len(changes))
	}
	for _, rows := range live {
		have.Live += len(rows)
	}
	return have
}

// days is how many days between are looked at.
const days = 2

// sameTables compares the tables of today, and of days between, with the
// published ones.
func (w *world) sameTables(changes []history.Change, until []int64) {
	w.t.Helper()
	tables := history.Tables{}
	for i, c := range changes {
		if err := tables.Apply(c); err != nil {
			w.t.Fatal(err)
		}
		switch last := i == len(changes)-1; {
		case last:
			w.sameDay(tables, 0)
		case (i+1)%(len(changes)/(days+1)) == 0 && i/(len(changes)/(days+1)) < days:
			w.sameDay(tables, until[i])
		}
	}
}

// sameDay compares all tables with those that were known at a position, 0 being now.
func (w *world) sameDay(tables history.Tables, asOf int64) {
	w.t.Helper()
	for n, rows := range tables {
		if err := sameRows(rows, w.series(n, asOf)); err != nil {
			w.t.Errorf("indicator %s as of position %d: %v", n, asOf, err)
		}
	}
}
