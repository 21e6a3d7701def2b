package auditdb

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/evidence"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/indicator"
)

// measurementOf is the measurement that an event is about, "" if none.
func measurementOf(body any) (id string, void bool) {
	switch b := body.(type) {
	case indicator.MeasurementRecorded:
		return b.MeasurementID, false
	case indicator.MeasurementCorrected:
		return b.MeasurementID, false
	case indicator.MeasurementVoided:
		return b.MeasurementID, true
	}
	return "", false
}

// The provenance of a measurement is what the log holds about it, of each of a
// random history's.
func TestProvenanceIsThatOfTheLog(t *testing.T) {
	checkLeaks(t)
	f := setup(t, 0, Options{})
	w := f.worlds[0]
	s := w.Draft()
	w.AddObjective(s, w.AddGoal(s))
	for _, i := range []int{3, 5} {
		m := w.Measured(s, i)
		for year := 2008; year < 2024; year++ {
			w.Remeasure(m, year)
		}
	}
	for range 100 {
		w.Step()
	}
	id, period := uuid.NewString(), calendar.Period{Start: "2031-01-01", End: "2031-12-31"}
	owner := fact.Actor{ID: "owner", Kind: fact.Person}
	f.log.Record(w.ID, "indicator-"+w.Indicators[0].ID.String(), owner, indicator.MeasurementRecorded{MeasurementID: id, Period: period},
		indicator.MeasurementCorrected{MeasurementID: id, Period: period, Reason: "r"}, indicator.MeasurementVoided{MeasurementID: id, Period: period, Reason: "r"})
	f.reread(t)
	f.apply(t)
	type history struct {
		events []eventlog.Event
		state  string
	}
	all := map[string]*history{}
	for _, e := range f.of(w) {
		id, void := measurementOf(decoded(t, e))
		if id == "" {
			continue
		}
		if all[id] == nil {
			all[id] = &history{state: query.Live}
		}
		all[id].events = append(all[id].events, e)
		if void {
			all[id].state = query.Voided
		}
	}
	ask := query.Read{OrganizationID: w.ID}
	states, longest := map[string]int{}, 0
	for id, want := range all {
		got, err := f.reader.Provenance(t.Context(), ask, uuid.MustParse(id))
		if err != nil {
			t.Fatal(err)
		}
		var steps []int64
		for i, step := range got.Steps {
			steps = append(steps, step.Position)
			if string(step.Data) != string(want.events[i].Data) {
				t.Errorf("step %d of %s: %s", i, id, step.Data)
			}
		}
		var positions []int64
		for _, e := range want.events {
			positions = append(positions, e.Position)
		}
		if !slices.Equal(steps, positions) || got.State != want.state || "indicator-"+got.IndicatorID != want.events[0].StreamID {
			t.Errorf("%s: steps %v, %s of %s; want %v, %s of %s", id, steps, got.State, got.IndicatorID, positions, want.state, want.events[0].StreamID)
		}
		states[got.State]++
		longest = max(longest, len(steps))
	}
	if states[query.Live] == 0 || states[query.Voided] == 0 || longest < 3 {
		t.Errorf("%v, at most %d steps: it shows little", states, longest)
	}
	for what, ask := range map[string]query.Read{"another organization's": {OrganizationID: f.worlds[1].ID}, "none": ask} {
		id := uuid.New()
		if what != "none" {
			for known := range all {
				id = uuid.MustParse(known)
			}
		}
		if _, err := f.reader.Provenance(t.Context(), ask, id); !errors.Is(err, query.ErrNotFound) {
			t.Errorf("%s: %v, want not-found", what, err)
		}
	}
}

// A number leads to the message it came in, to the evidence that its correction
// names and that was linked to it, and to what caused it, back to the root.
func TestProvenanceGoesBackToTheRoot(t *testing.T) {
	checkLeaks(t)
	f := setup(t, 0, Options{})
	w := f.worlds[0]
	id, stream := uuid.NewString(), "indicator-"+uuid.NewString()
	period := calendar.Period{Start: "2020-01-01", End: "2020-12-31"}
	source, person := fact.Actor{ID: "source", Kind: fact.Source}, fact.Actor{ID: "person", Kind: fact.Person}
	paper, letter := uuid.NewString(), uuid.NewString()
	hash := strings.Repeat("ef", 32)
	f.log.Record(w.ID, "evidence-"+paper, person, evidence.Registered{EvidenceID: paper, Kind: evidence.Document, SHA256: hash, MediaType: "application/pdf", StorageRef: "originals/" + hash})
	f.log.Record(w.ID, stream, person, indicator.Defined{IndicatorID: strings.TrimPrefix(stream, "indicator-"), StrategyID: "s"})
	f.log.Record(w.ID, stream, source, indicator.MeasurementRecorded{MeasurementID: id, Period: period, ImportID: "import"})
	f.log.Record(w.ID, stream, person, indicator.MeasurementCorrected{MeasurementID: id, Period: period, EvidenceID: paper, Reason: "r"})
	f.log.Record(w.ID, stream, fact.Actor{ID: "breach", Kind: fact.Process}, indicator.MeasurementVoided{MeasurementID: id, Period: period, Reason: "r"})
	f.reread(t)
	n := len(f.events)
	defined, recorded, corrected, voided := f.events[n-4], f.events[n-3], f.events[n-2], f.events[n-1]
	f.caused(t, recorded, "", eventlog.Origin{Kind: "amqp", SourceID: "source", MessageID: "m-1", PayloadSHA256: hash, Channel: "strata.ingest.source"})
	f.caused(t, corrected, recorded.ID.String(), eventlog.Origin{Kind: "api"})
	f.caused(t, voided, corrected.ID.String(), eventlog.Origin{Kind: "process"})
	f.log.Record(w.ID, "evidence-"+letter, person, evidence.Linked{Relation: evidence.Supports, Target: evidence.Target{Type: "indicator", ID: strings.TrimPrefix(stream, "indicator-"), EventID: corrected.ID.String()}})
	f.log.Record(w.ID, "evidence-"+paper, person, evidence.Linked{Relation: evidence.Supports, Target: evidence.Target{Type: "indicator", ID: defined.ID.String()}})
	f.reread(t)
	f.apply(t)
	got, err := f.reader.Provenance(t.Context(), query.Read{OrganizationID: w.ID}, uuid.MustParse(id))
	if err != nil {
		t.Fatal(err)
	}
	if got.State != query.Voided || got.StrategyID != "s" || "indicator-"+got.IndicatorID != stream || len(got.Steps) != 3 {
		t.Fatalf("%+v", got)
	}
	var causes [][]string
	for _, step := range got.Steps {
		var chain []string
		for _, c := range step.Causes {
			chain = append(chain, c.ID)
		}
		causes = append(causes, chain)
	}
	if diff := cmp.Diff([][]string{nil, {recorded.ID.String()}, {corrected.ID.String(), recorded.ID.String()}}, causes); diff != "" {
		t.Errorf("causes (-want +got):\n%s", diff)
	}
	first := got.Steps[0]
	if diff := cmp.Diff(&query.ImportLink{ImportID: "import", DocumentSHA256: hash}, first.Import); diff != "" {
		t.Errorf("import (-want +got):\n%s", diff)
	}
	if first.Source == nil || first.Source.MessageID != "m-1" || first.Source.PayloadSHA256 != hash || first.ActorID != "source" || first.ActorKind != "source" {
		t.Errorf("source %+v of %s %s", first.Source, first.ActorKind, first.ActorID)
	}
	want := []query.MeasurementEvidence{{EvidenceID: paper, Relation: query.Named, SHA256: hash, MediaType: "application/pdf"}, {EvidenceID: letter, Relation: "supports"}}
	if diff := cmp.Diff(want, got.Steps[1].Evidence); diff != "" {
		t.Errorf("evidence (-want +got):\n%s", diff)
	}
	if len(first.Evidence) != 0 || got.Steps[2].Import != nil {
		t.Errorf("evidence %v, import %v", first.Evidence, got.Steps[2].Import)
	}
}

// caused puts another cause and origin into an event's metadata.
func (f *fixture) caused(t *testing.T, e eventlog.Event, cause string, origin eventlog.Origin) {
	t.Helper()
	m, err := eventlog.DecodeMetadata(e.Metadata)
	if err != nil {
		t.Fatal(err)
	}
	m.CausationID, m.Origin, m.CommandID = cause, origin, e.CommandID
	if e.Metadata, err = m.Encode(); err != nil {
		t.Fatal(err)
	}
	f.log.Replace(e)
}

// A chain that leads back into itself, or out of the organization, ends there.
func TestCausesEnd(t *testing.T) {
	checkLeaks(t)
	f := setup(t, 0, Options{})
	w := f.worlds[0]
	stream, period := "indicator-"+uuid.NewString(), calendar.Period{Start: "2020-01-01", End: "2020-12-31"}
	ids := make([]string, 2)
	for i := range ids {
		ids[i] = uuid.NewString()
		f.log.Record(w.ID, stream, fact.Actor{ID: fmt.Sprint(i), Kind: fact.Process}, indicator.MeasurementRecorded{MeasurementID: ids[i], Period: period})
	}
	f.reread(t)
	n := len(f.events)
	f.caused(t, f.events[n-2], f.events[n-1].ID.String(), eventlog.Origin{})
	f.caused(t, f.events[n-1], f.events[n-2].ID.String(), eventlog.Origin{})
	f.reread(t)
	f.apply(t)
	got, err := f.reader.Provenance(t.Context(), query.Read{OrganizationID: w.ID}, uuid.MustParse(ids[0]))
	if err != nil || len(got.Steps[0].Causes) != 1 || got.Steps[0].Causes[0].ID != f.events[n-1].ID.String() {
		t.Errorf("%+v, %v", got, err)
	}
}
