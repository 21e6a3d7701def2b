package command_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/app/stratml"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/source"
	"strata.dev/strata/domain/strategy"
	generated "strata.dev/strata/tests/testdata/stratml"
)

func (w *world) export(id uuid.UUID, o command.ExportOptions) command.Exported {
	w.t.Helper()
	got, err := w.commands.Exports.StratML(w.t.Context(), w.as("owner").Principal, id, o)
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

// Every published document that is read can be imported, and what is exported
// then is the same plan: imported once more it has the same content hash, and
// nothing about it is unusual.
func TestImportExportImport(t *testing.T) {
	t.Parallel()
	for path, c := range map[string]struct {
		recorded command.Recorded
		assume   stratml.DocumentType
	}{
		"generated":    {recorded: command.Recorded{Goals: 2, Objectives: 12, Indicators: 104, Targets: 2_392, Measurements: 2_278}},
		"PMOAI.xml":    {recorded: command.Recorded{Goals: 1, Objectives: 5}},
		"SMLC2011.xml": {recorded: command.Recorded{Goals: 3, Objectives: 10, Indicators: 11, Measurements: 4}},

		"Pulkit0729__stratml-project/HHIOP20200304.xml":                {recorded: command.Recorded{Goals: 41, Objectives: 386}},
		"Pulkit0729__stratml-project/SMLC2023.xml":                     {recorded: command.Recorded{Goals: 3, Objectives: 13, Indicators: 21, Targets: 13, Measurements: 65}},
		"AndreaGutierrez17__SMLC2023-viewer/SMLC2023.xml":              {recorded: command.Recorded{Goals: 3, Objectives: 13, Indicators: 21, Targets: 13, Measurements: 65}, assume: stratml.PerformanceReport},
		"OwenAmbur__StratML/temp-stratml/temp.xml":                     {recorded: command.Recorded{Goals: 1, Objectives: 2}},
		"templates/marioMadunic__stratml/part1/Strategic Plan.xml":     {recorded: command.Recorded{Goals: 2, Objectives: 1}},
		"templates/marioMadunic__stratml/part2/Strategic Plan.xml":     {recorded: command.Recorded{Goals: 2, Objectives: 1, Indicators: 1}},
		"templates/marioMadunic__stratml/part2/Performance Plan.xml":   {recorded: command.Recorded{Goals: 2, Objectives: 1, Indicators: 1}},
		"templates/marioMadunic__stratml/part2/Performance Report.xml": {recorded: command.Recorded{Goals: 2, Objectives: 1, Indicators: 1}},
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			var document []byte
			switch {
			case path == "generated":
				document = generated.AlbaniaShaped()
			case filepath.Dir(path) == ".":
				document = here(t, path)
			default:
				document = published(t, path)
			}
			w := newWorld(t)
			first, err := w.commands.Imports.Import(t.Context(), w.as("author"), command.ImportRequest{Document: document, AssumeType: c.assume}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.recorded, first.Recorded); diff != "" {
				t.Errorf("recorded (-want +got):\n%s", diff)
			}
			if first.TypeAssumed != (c.assume != "") {
				t.Errorf("type assumed: %v", first.TypeAssumed)
			}
			exported := w.export(first.StrategyID, command.ExportOptions{})
			if exported.ContentHash != first.ContentHash || len(exported.Omitted) != 0 || exported.Revision != 1 {
				t.Errorf("exported %s, imported %s; left out %v", exported.ContentHash, first.ContentHash, exported.Omitted)
			}
			second, err := w.commands.Imports.Import(t.Context(), w.as("author"),
				command.ImportRequest{Document: exported.Document, Again: true, Reason: "round trip"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if second.ContentHash != first.ContentHash || second.Deviations.Schema() != 0 || len(second.Omitted) != 0 {
				t.Errorf("second content %s, first %s; deviations %v, omitted %v", second.ContentHash, first.ContentHash, second.Deviations.Counts, second.Omitted)
			}
			if diff := cmp.Diff(first.Recorded, second.Recorded); diff != "" {
				t.Errorf("recorded (-first +second):\n%s", diff)
			}
			compare(t, w, second, exported.Document)
			if c.assume == "" {
				compare(t, w, first, document)
			}
			again := w.export(second.StrategyID, command.ExportOptions{})
			if !bytes.Equal(exported.Document, again.Document) {
				t.Errorf("exported differently:\n%s", cmp.Diff(string(exported.Document), string(again.Document)))
			}
			if path == "PMOAI.xml" { // Part 1 out of Part 1
				part1 := w.export(first.StrategyID, command.ExportOptions{Part: stratml.Part1})
				if doc := parsed(t, part1.Document); doc.Part != stratml.Part1 || doc.Deviations.Schema() != 0 || part1.ContentHash != first.ContentHash {
					t.Errorf("part %d, deviations %v, content %s", doc.Part, doc.Deviations.Counts, part1.ContentHash)
				}
			}
		})
	}
}

// What is exported is what is recorded, whichever way it came in.
func TestExportOfWhatWasEdited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, goal, objective := w.draft()
	_, err := w.commands.Exports.StratML(t.Context(), w.as("author").Principal, id, command.ExportOptions{Revision: command.InForceRevision})
	refused(t, err, command.ErrNoRevision)
	_, err = w.commands.Exports.StratML(t.Context(), w.as("author").Principal, uuid.New(), command.ExportOptions{})
	refused(t, err, strategy.ErrNotDrafted)
	_, err = w.commands.Exports.StratML(t.Context(), w.as("nobody").Principal, id, command.ExportOptions{})
	refused(t, err, command.ErrNotMember)

	score := uuid.New()
	define := yearly(objective, id)
	define.Definition.Dimensions = []indicator.Dimension{{Name: "sex"}}
	define.Definition.ValueChainStage = "Made up"
	record := func(measurement uuid.UUID, value string, dims indicator.Dims) indicator.RecordMeasurement {
		return indicator.RecordMeasurement{
			MeasurementID: measurement.String(), Period: calendar.Period{Start: "2024-01-01", End: "2024-12-31"}, Dims: dims,
			Value: indicator.Stated{Number: value}, Note: "as counted",
		}
	}
	whole, part := uuid.New(), uuid.New()
	w.must(w.commands.Indicators.Execute(t.Context(), w.as("author"), score, define, target("2024", "5.50")))
	w.must(w.commands.Indicators.Execute(t.Context(), w.as("owner"), score, record(whole, "1e3", nil), record(part, "7", indicator.Dims{"sex": "female"})))
	retired := uuid.New()
	w.must(w.commands.Indicators.Execute(t.Context(), w.as("author"), retired, yearly(objective, id), indicator.RetireIndicator{Reason: "no more"}))
	got := w.export(id, command.ExportOptions{Revision: command.WorkingRevision})
	for _, want := range []string{
		"<NumberOfUnits>5.50</NumberOfUnits>", "<NumberOfUnits>1000</NumberOfUnits>", "<Description>as counted</Description>",
		`<PerformanceIndicator PerformanceIndicatorType="Quantitative">`,
	} {
		if !strings.Contains(string(got.Document), want) {
			t.Errorf("%s is not in\n%s", want, got.Document)
		}
	}
	if len(got.Omitted) != 1 || got.Omitted[0].Code != command.SeriesWithDimensions || got.Omitted[0].Text != "1" {
		t.Errorf("left out %+v", got.Omitted)
	}
	if head, _ := w.log.Head(t.Context()); got.Position != head || strings.Count(string(got.Document), "<PerformanceIndicator ") != 1 {
		t.Errorf("position %d of %d, %d indicators", got.Position, head, strings.Count(string(got.Document), "<PerformanceIndicator "))
	}
	old := w.export(id, command.ExportOptions{Part: stratml.Part1})
	if doc := parsed(t, old.Document); doc.Part != stratml.Part1 || doc.Deviations.Schema() != 0 || len(old.Omitted) != 1 || old.Omitted[0].Code != command.IndicatorsOfPart2 {
		t.Errorf("part 1: deviations %v, left out %+v", doc.Deviations.Counts, old.Omitted)
	}
	// The revision in force stays as it is while the next one is edited.
	w.activate(id)
	w.must(w.commands.Strategies.Execute(t.Context(), w.as("author"), id, strategy.OpenRevision{Reason: "next"},
		strategy.AmendGoal{GoalID: goal.String(), Edits: []strategy.Edit{{Field: "name", New: strategy.Text("Renamed")}}, Reason: "better"}))
	for choice, name := range map[command.RevisionChoice]string{command.InForceRevision: "Goal", command.WorkingRevision: "Renamed", command.PresentRevision: "Renamed"} {
		if got := w.export(id, command.ExportOptions{Revision: choice}); !strings.Contains(string(got.Document), "<Name>"+name+"</Name>") {
			t.Errorf("%s revision: no goal %s in\n%s", choice, name, got.Document)
		}
	}
	empty := uuid.New()
	w.must(w.commands.Strategies.Execute(t.Context(), w.as("author"), empty, strategy.DraftStrategy{Frame: strategy.Frame{Name: "Empty"}}))
	_, err = w.commands.Exports.StratML(t.Context(), w.as("author").Principal, empty, command.ExportOptions{})
	refused(t, err, stratml.ErrNoGoals)
}

// T6: what is refused leaves one event, and is refused the same when repeated.
func TestRefusedDocumentsLeaveOneEvent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		document     func(t *testing.T) []byte
		code         string
		line, column int
	}{
		"part 3.5":   {func(t *testing.T) []byte { return here(t, "WGlascoeCCIP.xml") }, stratml.ReasonPart3, 2, 1},
		"ill-formed": {func(*testing.T) []byte { return []byte(planHead + "\n & </a>") }, stratml.ReasonIllFormed, 3, 0},
		"a DTD":      {func(*testing.T) []byte { return []byte("<?xml version=\"1.0\"?>\n <!DOCTYPE a []><a/>") }, stratml.ReasonDTD, 2, 2},
		"too deep": {func(*testing.T) []byte {
			return []byte(planHead + strings.Repeat("<Goal>", 70))
		}, stratml.ReasonTooDeep, 2, 0},
		"nothing":        {func(*testing.T) []byte { return nil }, stratml.ReasonEmpty, 1, 1},
		"demo_stratml":   {from("nonconforming/rumela4__stratml-xsl-demo./demo_stratml.xml"), stratml.ReasonUnknownNamespace, 0, 0},
		"sample_stratml": {from("nonconforming/AndreaGutierrez17__SMLC2023-viewer/sample_stratml.xml"), stratml.ReasonUnknownNamespace, 0, 0},
		"federal award":  {from("nonconforming/cmarcum__federal-award-pids/strategic-plan.xml"), stratml.ReasonUnknownNamespace, 0, 0},
		"transformation": {from("part3.5/jlind0__StratML.NET/TrasnformationDotRun.xml"), stratml.ReasonPart3, 0, 0},
		"steffek":        {from("part3.5/jlind0__StratML.NET/Steffek-Lind-Transformation.xml"), stratml.ReasonPart3, 0, 0},
		"damaged (T5)":   {from("AndreaGutierrez17__SMLC2023-viewer/SMLC2023.xml"), stratml.ReasonTypeMissing, 3, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			document := c.document(t)
			w := newWorld(t)
			head, _ := w.log.Head(t.Context())
			call := w.as("author")
			_, err := w.commands.Imports.Import(t.Context(), call, upload(document), nil)
			want := stratml.ErrRefused
			if errors.Is(err, stratml.ErrTooLarge) {
				want = stratml.ErrTooLarge
			}
			f := faultOf(t, err, want)
			line, column := f.Extra["line"].(int), f.Extra["column"].(int)
			if f.Extra["reason"] != c.code || (c.line > 0 && line != c.line) || (c.column > 0 && column != c.column) || line < 1 || column < 1 {
				t.Errorf("refused with %v", f.Extra)
			}
			w.rejected(head, c.code, document, line, column)
			again := faultOf(t, second(w.commands.Imports.Import(t.Context(), call, upload(document), nil)), stratml.ErrRefused)
			if again.Extra["reason"] != c.code || again.Extra["line"] != line {
				t.Errorf("repeated: %v", again.Extra)
			}
			if now, _ := w.log.Head(t.Context()); now != head+1 {
				t.Errorf("%d events of one refusal", now-head)
			}
			if left, err := w.commands.Imports.Unfinished(t.Context()); err != nil || len(left) != 0 {
				t.Errorf("unfinished %v, %v", left, err)
			}
			if _, err := w.store.Original(t.Context(), w.org, strings.Repeat("0", 64)); !errors.Is(err, command.ErrNoOriginal) {
				t.Errorf("the store has what nobody kept: %v", err)
			}
		})
	}
}

func from(path string) func(t *testing.T) []byte {
	return func(t *testing.T) []byte { return published(t, path) }
}

func second[A any](_ A, err error) error { return err }

// T5: who gives the type of a document that lost it answers for it.
func TestAssumedTypeIsRecorded(t *testing.T) {
	t.Parallel()
	damaged := bytes.Replace(generated.Plan(1, 1, 1, 1, 0), []byte(` Type="Performance_Plan">`), []byte(`> Type="Performance_Plan"`), 1)
	w := newWorld(t)
	_, err := w.commands.Imports.Import(t.Context(), w.as("author"), upload(damaged), nil)
	if f := faultOf(t, err, stratml.ErrRefused); f.Extra["reason"] != stratml.ReasonTypeMissing {
		t.Errorf("refused with %v", f.Extra)
	}
	got, err := w.commands.Imports.Import(t.Context(), w.as("author"), command.ImportRequest{Document: damaged, AssumeType: stratml.PerformancePlan}, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := w.commands.Imports.Get(t.Context(), w.org, got.ImportID)
	if err != nil || !a.TypeAssumed || a.DocumentType != "Performance_Plan" || a.AcceptedBy != w.members["author"] {
		t.Errorf("accepted %+v, %v", a, err)
	}
	codes := map[string]int{}
	for _, d := range a.Deviations {
		codes[d.Code]++
		if d.Line < 1 || d.Column < 1 || !strings.HasPrefix(d.Path, "/PerformancePlanOrReport") {
			t.Errorf("deviation %+v", d)
		}
	}
	if codes[stratml.MissingType] != 1 || codes[stratml.StrayText] != 1 {
		t.Errorf("deviations %v", codes)
	}
	// The undamaged document says the same.
	_, err = w.commands.Imports.Import(t.Context(), w.as("author"), upload(generated.Plan(1, 1, 1, 1, 0)), nil)
	refused(t, err, source.ErrIdentical)
}

func TestOriginalsAreReadAgainByThoseWhoMay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enrol("auditor", authz.Auditor)
	w.enrol("viewer", authz.Viewer)
	document := here(t, "SMLC2011.xml")
	got := w.imports(w.as("author"), document)
	for name, may := range map[string]bool{"author": true, "officer": true, "auditor": true, "viewer": false, "owner": false, "admin": false, "approver": false} {
		b, sha256, err := w.commands.Imports.Original(t.Context(), w.as(name).Principal, got.ImportID)
		switch {
		case may && (err != nil || !bytes.Equal(b, document) || sha256 != got.DocumentSHA256):
			t.Errorf("%s: %d bytes of %s, %v", name, len(b), sha256, err)
		case !may:
			refusedAs(t, name, err, authz.ErrRole)
		}
	}
	_, _, err := w.commands.Imports.Original(t.Context(), w.as("author").Principal, uuid.New())
	refused(t, err, command.ErrNoImport)
	stranger := newWorldOn(t, w.log)
	stranger.store = w.store
	stranger.commands = stranger.process()
	_, _, err = stranger.commands.Imports.Original(t.Context(), stranger.as("author").Principal, got.ImportID)
	refused(t, err, command.ErrNoImport)
	// No name of a person is in the log, whatever the document says.
	for _, e := range mustRead(t, w.log) {
		for _, name := range []string{"Ambur", "Owen"} {
			if e.StreamID[:4] == "stra" && bytes.Contains(e.Data, []byte(`"name":"`+name)) {
				t.Errorf("%s names %s", e.Type, name)
			}
		}
	}
}

// A rule that refuses the rest makes an import failed; it can be tried again.
func TestFailedImportsSayWhy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	document := generated.Plan(1, 1, 1, 3, 0)
	c := w.as("author")
	accepted, err := w.commands.Imports.Start(t.Context(), c, upload(document))
	if err != nil {
		t.Fatal(err)
	}
	if run, err := w.commands.Imports.Status(t.Context(), w.org, accepted.ImportID); err != nil || run.State != command.ImportAccepted || run.Total != 3 {
		t.Errorf("accepted: %+v, %v", run, err)
	}
	taken := strategy.DraftStrategy{Frame: strategy.Frame{Name: "Somebody was here"}}
	w.must(w.commands.Strategies.Execute(t.Context(), w.as("author"), accepted.StrategyID, taken))
	_, err = w.commands.Imports.Run(t.Context(), w.org, accepted.ImportID, nil)
	refused(t, err, strategy.ErrDrafted)
	run, err := w.commands.Imports.Status(t.Context(), w.org, accepted.ImportID)
	if err != nil || run.State != command.ImportFailed || run.Failure == nil || run.Failure.Rule != strategy.ErrDrafted.Rule || run.Done != 0 {
		t.Errorf("failed: %+v, %v", run, err)
	}
	if _, err = w.commands.Imports.Status(t.Context(), w.org, uuid.New()); !errors.Is(err, command.ErrNoImport) {
		t.Errorf("of no import: %v", err)
	}
	_, err = w.commands.Imports.Run(t.Context(), w.org, uuid.New(), nil)
	refused(t, err, command.ErrNoImport)
}
