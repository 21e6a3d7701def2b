package history_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/ports/rest/restclient"
	"strata.dev/strata/tests/history"
	"strata.dev/strata/tests/system"
	"strata.dev/strata/tests/testenv"
)

// world is a service, and a strategy whose objectives are the goals of the Agenda.
type world struct {
	t         *testing.T
	system    *system.System
	base      string
	strategy  string
	objective map[string]string // number of the goal → id
	indicator map[string]string // number → id
	head      int64             // position of the last command
	after     func(n int)       // nil, or called when the n-th change was replayed
}

// newWorld starts one. Where there are hundreds of thousands of values, not every
// answer is held against the contract: the parts have the same operations.
func newWorld(t *testing.T, checked bool) *world {
	t.Helper()
	s, service := system.Start(t, system.Options{})
	if !checked {
		connections := &http.Transport{MaxIdleConnsPerHost: reviewers}
		t.Cleanup(connections.CloseIdleConnections)
		s.HTTP = &http.Client{Timeout: time.Minute, Transport: connections}
	}
	return &world{t: t, system: s, base: service.Base, objective: map[string]string{}, indicator: map[string]string{}}
}

// as is the API as one of the organization's members sees it.
func (w *world) as(subject string) *restclient.Client { return w.system.Client(w.base, subject) }

func (w *world) post(subject, path string, body, v any) {
	w.t.Helper()
	w.head = system.MustPost(w.t, w.as(subject), path, body, v)
}

// objectiveOf gives the objective of an indicator's goal, drafted when it is first asked for.
func (w *world) objectiveOf(name, goal string) string {
	w.t.Helper()
	if id := w.objective[goal]; id != "" {
		return id
	}
	if w.strategy == "" {
		var drafted struct{ StrategyID string }
		w.post("sam", "/v1/strategies", map[string]any{"frame": map[string]string{"name": name}}, &drafted)
		w.strategy = drafted.StrategyID
	}
	var added struct{ GoalID, ObjectiveID string }
	w.post("sam", "/v1/strategies/"+w.strategy+"/commands/add-goal", map[string]string{"name": goal}, &added)
	w.post("sam", "/v1/strategies/"+w.strategy+"/commands/add-objective", map[string]string{"goalId": added.GoalID, "name": goal}, &added)
	w.objective[goal] = added.ObjectiveID
	return added.ObjectiveID
}

// define defines an indicator.
func (w *world) define(objective, number string, definition map[string]any) {
	w.t.Helper()
	var defined struct{ IndicatorID string }
	w.post("sam", "/v1/indicators", map[string]any{"strategyId": w.strategy, "objectiveId": objective, "definition": definition}, &defined)
	w.indicator[number] = defined.IndicatorID
}

// batchAnswer is the answer to POST /v1/measurements.
type batchAnswer struct {
	Items []struct {
		Index         int
		Status        int
		MeasurementID string
		Problem       *struct{ Code, Rule, Detail string }
	}
	Recorded, Refused int
}

// batchLimit is how many items one request takes.
const batchLimit = 1_000

// measure sends the items, as many at once as a request takes, and gives those
// that were refused.
func (w *world) measure(items []history.Item) (refused []string) {
	w.t.Helper()
	for chunk := range slices.Chunk(items, batchLimit) {
		answer, err := w.as("ines").Do(w.t.Context(), restclient.Request{
			Method: http.MethodPost, Path: "/v1/measurements", Key: uuid.NewString(), Body: map[string]any{"items": chunk},
		})
		if err != nil {
			w.t.Fatal(err)
		}
		var got batchAnswer
		if err := answer.Decode(&got); err != nil {
			w.t.Fatal(err)
		}
		if got.Recorded+got.Refused != len(chunk) || len(got.Items) != len(chunk) {
			w.t.Fatalf("%d items were sent; of %d answered %d were recorded and %d refused", len(chunk), len(got.Items), got.Recorded, got.Refused)
		}
		for i, item := range got.Items {
			if item.Problem != nil {
				refused = append(refused, fmt.Sprintf("%s %s", item.Problem.Code, item.Problem.Rule))
			} else if item.Index != i {
				w.t.Fatalf("item %d is answered at the place of item %d", item.Index, i)
			}
		}
		w.head = max(w.head, answer.Position)
	}
	return refused
}

// refusal names the refusal in err: its code and rule.
func refusal(err error) (string, bool) {
	var p *restclient.Problem
	if !errors.As(err, &p) || p.Status >= http.StatusInternalServerError {
		return "", false
	}
	return p.Code + " " + p.Rule, true
}

// problem is the refusal in err, or fails the test.
func problem(t *testing.T, err error) *restclient.Problem {
	t.Helper()
	var p *restclient.Problem
	if !errors.As(err, &p) {
		t.Fatalf("want a refusal, got %v", err)
	}
	return p
}

// catchUp waits until the answers are of today: what was recorded in seconds is
// projected in more of them.
func (w *world) catchUp(path string) {
	w.t.Helper()
	testenv.Eventually(w.t, 2*time.Minute, path+" is of today", func() error {
		_, err := system.Get(w.t.Context(), w.as("arlo"), path, w.head)
		return err
	})
}

// point is a value of a series.
type point struct {
	Period history.Period
	Dims   map[string]string
	history.Reading
}

// series reads the living values of an indicator by place: those of now, or if
// asOf is not 0 those that were known at that position.
func (w *world) series(number string, asOf int64) map[string]string {
	w.t.Helper()
	rows := map[string]string{}
	query, least := "", w.head
	if asOf > 0 {
		query, least = fmt.Sprintf("&asOfPosition=%d", asOf), asOf
	}
	for cursor := ""; ; {
		var page struct {
			Items []struct {
				Kind string
				point
			}
			NextCursor string
		}
		path := "/v1/indicators/" + w.indicator[number] + "/series?limit=200" + query + cursor
		system.MustGet(w.t, w.as("vera"), path, least, &page)
		for _, p := range page.Items {
			if p.Kind == "measurement" {
				rows[history.Place{Period: p.Period, Dims: dimsOf(p.Dims)}.Key()] = p.Text()
			}
		}
		if page.NextCursor == "" {
			return rows
		}
		cursor = "&cursor=" + page.NextCursor
	}
}

// dimsOf makes absent dims empty, as places have them.
func dimsOf(dims map[string]string) map[string]string {
	if dims == nil {
		return map[string]string{}
	}
	return dims
}

// goalOf is the number before the first point.
func goalOf(indicator string) string {
	goal, _, _ := strings.Cut(indicator, ".")
	return goal
}

// sameRows compares tables and says where they differ first.
func sameRows(want, have map[string]string) error {
	if maps.Equal(want, have) {
		return nil
	}
	for _, at := range slices.Sorted(maps.Keys(want)) {
		if text, ok := have[at]; !ok || text != want[at] {
			return fmt.Errorf("%d rows and should be %d; %s is %q (there: %v) and should be %q", len(have), len(want), at, text, ok, want[at])
		}
	}
	return fmt.Errorf("%d rows and should be %d", len(have), len(want))
}
