package auditdb

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/indicator"
)

// strategiesOf gives for each position the strategies that the event is about.
func strategiesOf(t *testing.T, events []eventlog.Event) map[int64][]string {
	t.Helper()
	now, of := map[string]string{}, map[int64][]string{}
	for _, e := range events {
		if id, ok := strings.CutPrefix(e.StreamID, "strategy-"); ok {
			of[e.Position] = []string{id}
		}
		if !strings.HasPrefix(e.StreamID, "indicator-") {
			continue
		}
		before := now[e.StreamID]
		body, err := eventcodec.Decode(e.Type, e.SchemaVersion, e.Data)
		if err != nil {
			t.Fatal(err)
		}
		switch body := body.(type) {
		case indicator.Defined:
			now[e.StreamID] = body.StrategyID
		case indicator.Redefined:
			for _, c := range body.Changes {
				if c.Field == "strategyId" {
					now[e.StreamID] = c.New.Text
				}
			}
		}
		of[e.Position] = []string{now[e.StreamID]}
		if before != "" && before != now[e.StreamID] {
			of[e.Position] = append(of[e.Position], before)
		}
	}
	return of
}

func rolesOf(t *testing.T, e eventlog.Event) []string {
	t.Helper()
	m, err := eventlog.DecodeMetadata(e.Metadata)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(m.Actor.Roles)
	return m.Actor.Roles
}

func actorOf(t *testing.T, e eventlog.Event) string {
	t.Helper()
	m, err := eventlog.DecodeMetadata(e.Metadata)
	if err != nil {
		t.Fatal(err)
	}
	return m.Actor.ID
}

func goalOf(t *testing.T, e eventlog.Event) string {
	t.Helper()
	var data struct{ GoalID string }
	if err := json.Unmarshal(e.Data, &data); err != nil {
		t.Fatal(err)
	}
	return data.GoalID
}

// Old and new are shown under one form, wherever an event has them.
func TestChangesOfEvents(t *testing.T) {
	for data, want := range map[string]string{
		`{"changes":[{"field":"name","new":{"text":"b"},"old":{"text":"a"}}],"reason":"r"}`:  `[{"field":"name","old":{"text":"a"},"new":{"text":"b"}}]`,
		`{"measurementId":"m","new":{"value":"2"},"old":{"value":"1"}}`:                      `[{"field":"value","old":{"value":"1"},"new":{"value":"2"}}]`,
		`{"measurementId":"m","old":{"value":"1"}}`:                                          `[{"field":"value","old":{"value":"1"}}]`,
		`{"from":"on_track","to":"off_track"}`:                                               `[{"field":"status","old":"on_track","new":"off_track"}]`,
		`{"originalText":"2.0","previous":{"value":"1"},"reason":"r","value":"2"}`:           `[{"field":"target","old":{"value":"1"},"new":{"originalText":"2.0","value":"2"}}]`,
		`{"old":{"autoResume":true,"version":1},"autoResume":false,"quorum":{},"version":2}`: `[{"field":"autoResume","old":true,"new":false},{"field":"version","old":1,"new":2}]`,
		`{"goalId":"g"}`: `null`,
		`not JSON`:       `null`,
	} {
		if got, err := json.Marshal(changesOf([]byte(data))); err != nil || string(got) != want {
			t.Errorf("%s: %s, %v, want %s", data, got, err, want)
		}
	}
}
