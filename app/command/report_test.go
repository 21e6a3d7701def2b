package command_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"slices"
	"testing"

	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/source"
)

func report(of uuid.UUID, year int, value string) command.BatchItem {
	return command.BatchItem{IndicatorID: of, Command: command.Report{
		RecordMeasurement: indicator.RecordMeasurement{Period: in(year), Value: indicator.Stated{Number: value}},
	}}
}

// reporter registers a source that may write some indicators.
func (w *world) reporter(allowed ...uuid.UUID) uuid.UUID {
	w.t.Helper()
	w.enrol("dana", authz.DataSteward)
	id, terms := uuid.New(), []source.Allowed{}
	for _, a := range allowed {
		terms = append(terms, source.Allowed{IndicatorID: a.String()})
	}
	w.must(w.commands.Sources.Execute(w.t.Context(), w.as("dana"), id, source.RegisterSource{
		Name: "Registers", System: "registers", Channel: source.HTTP, StewardID: w.members["dana"], AllowedIndicators: terms, MaxRatePerMin: 60,
		PublicKey: base64.StdEncoding.EncodeToString(make([]byte, ed25519.PublicKeySize)),
	}))
	return id
}

// What a report leads to depends on what is there; a repetition finds what it
// led to, however the state has changed since.
func TestReports(t *testing.T) {
	w := newWorld(t)
	scores := w.scores(2)
	reporter := w.reporter(scores[0])
	asked := w.keyed("source", "k1")
	asked.Principal = command.SourcePrincipal(w.org, reporter)
	tell := func(c command.Call, items ...command.BatchItem) []command.ItemResult {
		t.Helper()
		results, err := w.commands.Indicators.RecordBatch(t.Context(), c, items)
		if err != nil {
			t.Fatal(err)
		}
		return results
	}
	other := report(scores[0], 2003, "1")
	unit := other.Command.(command.Report)
	unit.Unit = "percent"
	other.Command = unit
	unknown := report(scores[0], 2003, "1")
	ref := unknown.Command.(command.Report)
	ref.Reference = indicator.ExternalRef{SourceID: reporter.String(), Ref: "x"}
	unknown.Command = ref
	items := []command.BatchItem{
		report(scores[0], 2001, "1"), report(scores[0], 2001, "1.0"), report(scores[0], 2001, "2"), other, unknown,
		{IndicatorID: scores[0], Refused: fault.New(fault.Invalid, "x", "x")},
		report(scores[1], 2001, "1"),
	}
	first := tell(asked, items...)
	if got := told(first); !slices.Equal(got[:5], []string{"ok", "ok", "ok", "unit", "reference"}) || got[6] != "S14" {
		t.Fatalf("told %v", got)
	}
	if first[0].Corrected || !first[2].Corrected || first[1].Result.Position != 0 || first[1].MeasurementID != first[0].MeasurementID || len(first[2].Result.EventIDs) == 0 {
		t.Errorf("%+v", first[:3])
	}
	w.must(w.commands.Indicators.Execute(t.Context(), w.as("owner"), scores[0],
		indicator.VoidMeasurement{MeasurementID: first[0].MeasurementID, Reason: "wrong table"}))
	head, err := w.log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again := tell(asked, items...)
	if got := told(again); !slices.Equal(got[:5], []string{"again", "ok", "again", "unit", "reference"}) {
		t.Errorf("told again %v", got)
	}
	if now, err := w.log.Head(t.Context()); err != nil || now != head || !again[2].Corrected {
		t.Errorf("%d events more, %v", now-head, err)
	}

	// Whoever may not write a value is not told that it is this one.
	w.must(w.commands.Indicators.Execute(t.Context(), w.as("owner"), scores[1], indicator.RecordMeasurement{
		MeasurementID: uuid.NewString(), Period: in(2001), Value: indicator.Stated{Number: "7"},
	}))
	curious := asked
	curious.CommandID = uuid.New()
	for _, r := range tell(curious, report(scores[1], 2001, "7"), report(scores[1], 2001, "8")) {
		if f, ok := errors.AsType[*fault.Fault](r.Err); !ok || f.Extra["reason"] != source.NotAllowed {
			t.Errorf("%+v", r)
		}
	}
}
