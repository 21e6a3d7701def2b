package drill_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"strata.dev/strata/adapters/oidc"
	"strata.dev/strata/app/restore"
	"strata.dev/strata/tests/system"
)

// point is a value of a series, as answers and states have it.
type point struct{ ID, Day, Value string }

// series is the live answer about an indicator's values.
func (w *world) series(id string, position int64) (all []point) {
	w.t.Helper()
	var answer struct {
		Items []struct {
			Kind          string
			MeasurementID string
			Period        struct{ Start string }
			Value         string
		}
	}
	system.MustGet(w.t, w.Client(w.service.Base, "arlo"), "/v1/indicators/"+id+"/series?kind=measurement&limit=200", position, &answer)
	for _, i := range answer.Items {
		all = append(all, point{i.MeasurementID, i.Period.Start, i.Value})
	}
	return sorted(all)
}

func sorted(points []point) []point {
	slices.SortFunc(points, func(a, b point) int { return strings.Compare(a.ID, b.ID) })
	return points
}

// One organization, one stream and one read model are taken out of log and archive
// as of a position, beside a service that goes on; they are what it said then.
func TestPartsAsOfAPosition(t *testing.T) {
	w := newWorld(t, system.Options{Env: archived(t, nil), Queues: []string{"team.plans"}})
	indicator := w.define("Goal", "One", nil)
	record := func(day int) {
		date := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, -day).Format(time.DateOnly)
		w.post("ines", "/v1/indicators/"+indicator+"/commands/record", map[string]any{"period": map[string]string{"start": date, "end": date}, "value": fmt.Sprintf("%d.5", day)}, nil)
	}
	for day := range 30 {
		record(day)
	}
	then := w.remember()
	said := w.series(indicator, then.position)
	for day := range 20 { // and it goes on
		record(100 + day)
	}
	w.post("ines", "/v1/indicators/"+indicator+"/commands/void", map[string]any{"measurementId": said[0].ID, "reason": "It was wrong."}, nil)
	// Another organization, of which nothing may be in it.
	operator := w.Client(w.service.Base, "ada")
	operator.Token = w.Token(oidc.Claims{Subject: "operator", Operator: true})
	w.head = system.MustPost(t, operator, "/v1/organizations", map[string]any{
		"name": "Elsewhere", "administrator": map[string]string{"issuer": oidc.DevIssuer, "subject": "mallory"}, "complianceOfficer": map[string]string{"issuer": oidc.DevIssuer, "subject": "oscar"},
	}, nil)
	now := w.settle()

	at := fmt.Sprint(then.position)
	for name, from := range map[string][]string{"log": nil, "archive": {"--from", w.from}} {
		dir := filepath.Join(t.TempDir(), name)
		var taken struct {
			Events   int64
			Position int64 `json:",string"`
			States   map[string]string
		}
		w.run(&taken, slices.Concat([]string{"restore", "organization", w.Organization.ID.String(), "--at", at, "--to", dir}, from)...)
		if taken.Position != then.position || !within(taken.States, then.states.States) || len(taken.States) != 3 {
			t.Errorf("out of the %s: up to position %d, %d entities, or their states are not those of position %d", name, taken.Position, len(taken.States), then.position)
		}
		lines, err := os.ReadFile(filepath.Join(dir, "events.ndjson"))
		if err != nil || int64(strings.Count(string(lines), "\n")) != taken.Events || strings.Contains(string(lines), "Elsewhere") {
			t.Errorf("out of the %s: %d lines, %v; %d events", name, strings.Count(string(lines), "\n"), err, taken.Events)
		}
		state := readEntity(t, filepath.Join(dir, "states", "indicator-"+indicator+".json"))
		if got := pointsOf(t, state); !slices.Equal(got, said) {
			t.Errorf("out of the %s: the state holds %d values, the answer then had %d, or others", name, len(got), len(said))
		}
		var stream struct{ Entity restore.Entity }
		w.run(&stream, slices.Concat([]string{"restore", "stream", "indicator-" + indicator, "--at", at}, from)...)
		if stream.Entity.Digest != state.Digest || stream.Entity.Version != state.Version || state.Digest != then.states.States["indicator-"+indicator] {
			t.Errorf("out of the %s: the stream alone is %s at version %d", name, stream.Entity.Digest, stream.Entity.Version)
		}
		w.run(&stream, slices.Concat([]string{"restore", "stream", "indicator-" + indicator}, from)...)
		if got, want := pointsOf(t, &stream.Entity), w.series(indicator, now); !slices.Equal(got, want) || slices.Equal(got, said) {
			t.Errorf("out of the %s: the state now holds %d values, the answer has %d, or others", name, len(got), len(want))
		}
		for _, model := range slices.Sorted(maps.Keys(then.models)) {
			var built struct{ Digest string }
			w.run(&built, slices.Concat([]string{"restore", "model", model, "--at", at, "--to", w.emptyDatabase(fmt.Sprintf("t_%s_%s_%d", model, name, time.Now().UnixNano()))}, from)...)
			if built.Digest != then.models[model] {
				t.Errorf("out of the %s: %s at position %d is %s, it was %s", name, model, then.position, built.Digest, then.models[model])
			}
		}
		if err := w.try(nil, slices.Concat([]string{"restore", "stream", "indicator-" + w.strategy}, from)...); err == nil || !strings.Contains(err.Error(), "nothing of it was recorded") {
			t.Errorf("out of the %s, a stream that is not there: %v", name, err)
		}
	}
	if err := w.try(nil, "restore", "log", "--reason", "r"); err == nil {
		t.Error("the log of a running service was restored")
	}
}

// within says whether all of the states are among those of the whole log.
func within(part, whole map[string]string) bool {
	for stream, digest := range part {
		if whole[stream] != digest {
			return false
		}
	}
	return true
}

func readEntity(t *testing.T, file string) *restore.Entity {
	t.Helper()
	body, err := os.ReadFile(file)
	var e restore.Entity
	if err == nil {
		err = json.Unmarshal(body, &e)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &e
}

// pointsOf are the values that the state of an indicator holds.
func pointsOf(t *testing.T, e *restore.Entity) (all []point) {
	t.Helper()
	var state struct {
		Series map[string]struct {
			ID      string
			Period  struct{ Start string }
			Reading struct{ Value string }
			Void    bool
		}
	}
	if err := json.Unmarshal(e.State, &state); err != nil {
		t.Fatal(err)
	}
	for _, m := range state.Series {
		if !m.Void {
			all = append(all, point{m.ID, m.Period.Start, m.Reading.Value})
		}
	}
	return sorted(all)
}
