package history_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"strata.dev/strata/ports/rest/restclient"
	"strata.dev/strata/tests/history"
	"strata.dev/strata/tests/system"
)

// reported is what was counted in reports.
type reported struct {
	Reports, Series, WithOtherTargets int

	Comparable int // with both numbers and a claim about a value
	Milestones int // with both numbers and a claim about a step
	Contradict int // whose claim is not what the numbers say
	Twice      int // values that were there already, in the same push
}

// Four quarterly pushes of what agencies reported. Whether a target is met is
// computed; it differs from what was claimed exactly where the claims contradict
// the numbers beside them.
func TestQuarterlyReports(t *testing.T) {
	for _, s := range []struct {
		name string
		path func(t *testing.T) string
		want reported
	}{
		{
			"part", func(t *testing.T) string {
				root, err := system.Root()
				if err != nil {
					t.Fatal(err)
				}
				return filepath.Join(root, "tests/testdata/apg/target.json")
			},
			reported{Reports: 205, Series: 54, Comparable: 138, Milestones: 8, Contradict: 15, Twice: 1},
		},
		{
			"all that is here", func(t *testing.T) string { return beside(t, "apg", "target.json") },
			reported{Reports: 518, Series: 145, Comparable: 299, Milestones: 41, Contradict: 15, Twice: 1},
		},
	} {
		t.Run(s.name, func(t *testing.T) {
			reports, err := history.ReadReports(s.path(t))
			if err != nil {
				t.Fatal(err)
			}
			a := &agencies{world: newWorld(t, true), aims: map[history.Series]map[string]bool{}}
			began := time.Now()
			have := reported{Reports: len(reports)}
			for _, quarter := range []string{"1", "2", "3", "4"} {
				a.push(reports, quarter, &have)
			}
			for _, aims := range a.aims {
				have.Series++
				if len(aims) > 1 {
					have.WithOtherTargets++
				}
			}
			if diff := cmp.Diff(s.want, have); diff != "" {
				t.Errorf("(-want +have):\n%s", diff)
			}
			t.Logf("%+v in %s", have, time.Since(began).Round(time.Millisecond))
		})
	}
}

// agencies is the strategy of the priority goals.
type agencies struct {
	*world
	aims map[history.Series]map[string]bool // that were set
}

// push brings one quarter in and compares what comes out with what was claimed.
func (a *agencies) push(reports []history.Report, quarter string, have *reported) {
	a.t.Helper()
	var items []history.Item
	var now []history.Report
	var targets errgroup.Group
	targets.SetLimit(8)
	aimed := map[history.Series]bool{}
	for _, r := range reports {
		if r.Quarter != quarter {
			continue
		}
		now = append(now, r)
		id := a.indicatorOf(r)
		if r.Aim != "" && !aimed[r.Series()] {
			aimed[r.Series()] = true
			a.aims[r.Series()][r.Aim] = true
			targets.Go(func() error { return a.aim(id, r) })
		}
		if r.Current != "" {
			items = append(items, history.Item{IndicatorID: id, Record: &history.Measurement{
				Place: history.Place{Period: r.Period()}, Stated: r.State(r.Current), ObservedAt: time.Date(2022, 12, 31, 0, 0, 0, 0, time.UTC),
				ExternalRef: r.Goal,
			}})
		}
	}
	if err := targets.Wait(); err != nil {
		a.t.Fatal(err)
	}
	for _, refused := range a.measure(items) {
		if refused != "invariant-violated one-value-per-key" {
			a.t.Errorf("quarter %s: an item was refused as %s", quarter, refused)
		}
		have.Twice++
	}
	lines := a.scorecard()
	for _, r := range now {
		met, ok := r.Met()
		if !ok {
			continue
		}
		if r.Milestone() {
			have.Milestones++
		} else {
			have.Comparable++
		}
		if met != r.Claimed() {
			have.Contradict++
		}
		line := lines[a.indicator[fmt.Sprint(r.Series())]]
		if line.Actual.Period != r.Period() {
			a.t.Errorf("quarter %s, %+v: the scorecard has the value of %+v", quarter, r.Series(), line.Actual.Period)
		}
		if computed := line.Health == "on_track"; computed != met {
			a.t.Errorf("quarter %s, %+v: %s, and %s is %s, %s of %s is reached: %v", quarter, r.Series(), line.Health, r.Type, r.Current, r.Aim, r.Start, met)
		}
	}
}

// indicatorOf gives the indicator of a report, defined when it is first asked for.
func (a *agencies) indicatorOf(r history.Report) string {
	a.t.Helper()
	key := fmt.Sprint(r.Series())
	if id := a.indicator[key]; id != "" {
		return id
	}
	definition := map[string]any{
		"name": r.Name(), "unit": "as reported", "type": "quantitative", "direction": r.Direction(), "frequency": "quarter", "yearStart": 10,
	}
	switch {
	case r.Milestone():
		definition["type"], definition["done"] = "qualitative", []string{history.Done}
	case r.Start != "":
		definition["baseline"] = r.Start
	}
	a.define(a.objectiveOf("Agency priority goals 2022", r.Goal+" "+r.GoalName), key, definition)
	a.aims[r.Series()] = map[string]bool{}
	return a.indicator[key]
}

// aim sets the target of a quarter.
func (a *agencies) aim(id string, r history.Report) error {
	ctx, cancel := context.WithTimeout(a.t.Context(), time.Minute)
	defer cancel()
	stated := r.State(r.Aim)
	_, err := a.as("sam").Do(ctx, restclient.Request{
		Method: http.MethodPost, Path: "/v1/indicators/" + id + "/commands/set-target", Key: uuid.NewString(), IfMatch: "*",
		Body: struct {
			Period history.Period `json:"period"`
			history.Stated
			Reason string `json:"reason"`
		}{r.Period(), stated, "as reported"},
	})
	return err
}

// cardLine is an indicator in the scorecard.
type cardLine struct {
	ID, Health string
	Actual     point
}

// scorecard reads the whole scorecard.
func (a *agencies) scorecard() map[string]cardLine {
	a.t.Helper()
	lines := map[string]cardLine{}
	for cursor := ""; ; {
		var page struct {
			Items      []cardLine
			NextCursor string
		}
		system.MustGet(a.t, a.as("vera"), "/v1/strategies/"+a.strategy+"/scorecard?limit=200"+cursor, a.head, &page)
		for _, line := range page.Items {
			lines[line.ID] = line
		}
		if page.NextCursor == "" {
			return lines
		}
		cursor = "&cursor=" + page.NextCursor
	}
}
