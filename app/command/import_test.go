package command_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"strata.dev/strata/adapters/memory"
	parser "strata.dev/strata/adapters/stratml"
	"strata.dev/strata/app/command"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/stratml"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/refusal"
	"strata.dev/strata/domain/strategy"
	generated "strata.dev/strata/tests/testdata/stratml"
	"strata.dev/strata/tests/testenv"
)

func parsed(t testing.TB, b []byte) *stratml.Document {
	t.Helper()
	doc, err := parser.Parser{}.Parse(t.Context(), bytes.NewReader(b), stratml.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// published reads a document that may not be redistributed, or skips.
func published(t testing.TB, path string) []byte {
	t.Helper()
	_, file, _, _ := runtime.Caller(0)
	b, err := os.ReadFile(filepath.Join(filepath.Dir(file), "..", "..", "..", "shared", "stratml", path))
	if errors.Is(err, os.ErrNotExist) {
		testenv.SkipLoud(t, "published StratML documents are not beside the repository: "+path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (w *world) imports(c command.Call, doc *stratml.Document) command.Imported {
	w.t.Helper()
	got, err := w.commands.Imports.StratML(w.t.Context(), c, doc, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

// compare folds what an import recorded and holds it against the document.
func compare(t testing.TB, w *world, got command.Imported, doc *stratml.Document) {
	t.Helper()
	s := fold[strategy.State, strategy.Event](t, w.log, w.org, "strategy-"+got.StrategyID.String(), strategy.State.Apply)
	if s.Phase != strategy.Preparing || s.Working.Stage != strategy.Draft || s.HasInForce() {
		t.Errorf("phase %s, stage %s: an import ends in draft", s.Phase, s.Working.Stage)
	}
	frame := s.Working.Plan.Frame
	if frame.Name != doc.Name || frame.Description != doc.Description || string(s.DocumentType) != string(doc.Type) ||
		string(frame.PublicationDate) != doc.Administrative.PublicationDate || frame.Identifier != doc.Administrative.Identifier ||
		frame.SourceURI != doc.Administrative.Source {
		t.Errorf("frame %+v", frame)
	}
	indicators := w.indicatorsOf(got.StrategyID)
	goals := s.Working.Plan.Goals()
	if len(goals) != len(doc.Goals) {
		t.Fatalf("%d goals, want %d", len(goals), len(doc.Goals))
	}
	for g, want := range doc.Goals {
		if goals[g].Name != want.Name || goals[g].Identifier != want.Identifier || goals[g].Sequence != want.Sequence || goals[g].Description != want.Description {
			t.Errorf("goal %d: %+v", g, goals[g])
		}
		objectives := s.Working.Plan.Objectives(goals[g].ID)
		if len(objectives) != len(want.Objectives) {
			t.Fatalf("goal %d: %d objectives, want %d", g, len(objectives), len(want.Objectives))
		}
		for o, want := range want.Objectives {
			if objectives[o].Name != want.Name || objectives[o].Identifier != want.Identifier || objectives[o].Description != want.Description {
				t.Errorf("objective %d: %+v", o, objectives[o])
			}
			mine := indicators[objectives[o].ID]
			if len(mine) != len(want.Indicators) {
				t.Fatalf("objective %s: %d indicators, want %d", want.Identifier, len(mine), len(want.Indicators))
			}
			for i, want := range want.Indicators {
				compareIndicator(t, mine[i], want)
			}
		}
	}
}

func compareIndicator(t testing.TB, s indicator.State, want stratml.Indicator) {
	t.Helper()
	d := s.Definition
	if d.Name != want.Dimension || d.Unit != want.Unit || d.Identifier != want.Identifier || d.Sequence != want.Sequence {
		t.Errorf("definition %+v, want %+v", d, want)
	}
	targets, actuals := 0, 0
	for _, m := range want.Instances {
		for _, r := range m.Targets {
			if r.Units == "" {
				continue
			}
			targets++
			got, ok := s.Target(periodOf(r), nil)
			if !ok || got.OriginalText != r.Units || got.Descriptor != r.DescriptorValue || got.DescriptorName != r.DescriptorName {
				t.Errorf("%s: target %+v, want %+v", want.Identifier, got, r)
			}
		}
		for _, r := range m.Actuals {
			if r.Units == "" {
				continue
			}
			actuals++
			got, ok := s.Live(periodOf(r), nil)
			if !ok || got.OriginalText != r.Units {
				t.Errorf("%s: measurement %+v, want %+v", want.Identifier, got, r)
			}
		}
	}
	if len(s.Targets()) != targets || len(s.Measurements()) != actuals {
		t.Errorf("%s: %d targets and %d measurements, want %d and %d", want.Identifier, len(s.Targets()), len(s.Measurements()), targets, actuals)
	}
	if targets > 0 && d.Frequency != calendar.Year {
		t.Errorf("%s: frequency %s, want year", want.Identifier, d.Frequency)
	}
}

func periodOf(r stratml.Result) calendar.Period {
	return calendar.Period{Start: calendar.Date(r.StartDate), End: calendar.Date(r.EndDate)}
}

// indicatorsOf folds the indicators of a strategy, by objective.
func (w *world) indicatorsOf(strategyID uuid.UUID) map[string][]indicator.State {
	w.t.Helper()
	head, err := w.log.Head(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	var streams []string
	for after := int64(0); after < head; {
		events, err := w.log.Read(w.t.Context(), after, 1_000)
		if err != nil || len(events) == 0 {
			w.t.Fatalf("read after %d of %d: %d events, %v", after, head, len(events), err)
		}
		for _, e := range events {
			if e.OrganizationID == w.org && e.Type == "indicator.defined" {
				streams = append(streams, e.StreamID)
			}
		}
		after = events[len(events)-1].Position
	}
	byObjective := map[string][]indicator.State{}
	for _, id := range streams {
		s := fold[indicator.State, indicator.Event](w.t, w.log, w.org, id, indicator.State.Apply)
		if s.StrategyID == strategyID.String() {
			byObjective[s.ObjectiveID] = append(byObjective[s.ObjectiveID], s)
		}
	}
	return byObjective
}

func TestImportRecordsTheDocument(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	doc := parsed(t, generated.AlbaniaShaped())
	c := w.as("author")
	var last command.Progress
	got, err := w.commands.Imports.StratML(t.Context(), c, doc, func(p command.Progress) {
		if p.Done != last.Done+1 || p.Total != 209 {
			t.Errorf("progress %+v after %+v", p, last)
		}
		last = p
	})
	if err != nil {
		t.Fatal(err)
	}
	if last.Done != last.Total {
		t.Errorf("last progress %+v", last)
	}
	want := command.Recorded{Goals: 2, Objectives: 12, Indicators: 104, Targets: 2_392, Measurements: 2_392 - 114}
	if diff := cmp.Diff(want, got.Recorded); diff != "" {
		t.Error(diff)
	}
	head, _ := w.log.Head(t.Context())
	if got.Position != head || got.Replayed || got.Revision != 1 || got.Version != 15 {
		t.Errorf("position %d of %d, %+v", got.Position, head, got.Revision)
	}
	if len(got.Omitted) != 114 || got.Omitted[0].Code != command.EmptyResult || got.Omitted[0].Line == 0 ||
		!strings.HasSuffix(got.Omitted[0].Path, "/PerformanceIndicator[1]/MeasurementInstance[1]/ActualResult[1]") {
		t.Errorf("%d omitted, the first %+v", len(got.Omitted), got.Omitted[0])
	}
	compare(t, w, got, doc)

	for i, e := range w.stream("strategy-" + got.StrategyID.String()) {
		m := metadataOf(t, e)
		if m.Origin.Kind != "import" || m.Origin.PayloadSHA256 != doc.SHA256 || m.Origin.MessageID != got.ImportID.String() || m.Actor.ID != w.members["author"] {
			t.Errorf("event %d: metadata %+v", i, m)
		}
	}
	measured := 0
	for _, list := range w.indicatorsOf(got.StrategyID) {
		for _, s := range list {
			for _, e := range w.stream("indicator-" + s.ID) {
				m := metadataOf(t, e)
				by, behalf := m.Actor.ID, w.members["author"]
				if e.Type == "indicator.measurement-recorded" {
					measured++
					by, behalf = m.OnBehalfOf, m.OnBehalfOf
					if m.Actor.Kind != eventlog.SystemProcess || m.Actor.ID != "stratml-import" {
						t.Fatalf("a measurement by %+v", m.Actor)
					}
				}
				if by != w.members["author"] || behalf != w.members["author"] {
					t.Fatalf("%s by %q for %q", e.Type, by, behalf)
				}
			}
		}
	}
	if measured != got.Recorded.Measurements {
		t.Errorf("%d measurements in the log, want %d", measured, got.Recorded.Measurements)
	}

	// Again under the same key: the same answer and nothing new.
	again := w.imports(c, doc)
	want2 := got
	want2.Replayed = true
	if diff := cmp.Diff(want2, again); diff != "" {
		t.Errorf("repetition: %s", diff)
	}
	if now, _ := w.log.Head(t.Context()); now != head {
		t.Errorf("the repetition recorded %d events", now-head)
	}
}

func TestImportUnderAnotherKeyIsAnotherStrategy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	doc := parsed(t, generated.Plan(1, 2, 2, 2, 0))
	first, second := w.imports(w.as("author"), doc), w.imports(w.as("author"), doc)
	if first.StrategyID == second.StrategyID || first.ImportID == second.ImportID || second.Replayed {
		t.Errorf("first %+v, second %+v", first, second)
	}
	compare(t, w, second, doc)
}

func TestImportOfThePublishedPlan(t *testing.T) {
	t.Parallel()
	log := realLog(t)
	for name, document := range map[string]func(*testing.T) []byte{
		"generated": func(*testing.T) []byte { return generated.AlbaniaShaped() },
		"Albania":   func(t *testing.T) []byte { return published(t, "Pulkit0729__stratml-project/Albania.xml") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorldOn(t, log)
			doc := parsed(t, document(t))
			began := time.Now()
			got := w.imports(w.as("author"), doc)
			t.Logf("imported %+v in %s", got.Recorded, time.Since(began))
			if got.Recorded.Indicators != 104 || got.Recorded.Targets+got.Recorded.Measurements != 2*2_392-114 {
				t.Errorf("recorded %+v", got.Recorded)
			}
			compare(t, w, got, doc)
		})
	}
}

// An import that dies at any append, or after it without knowing, is finished
// by its repetition, in another process, to the same log.
func TestImportInterruptedAnywhere(t *testing.T) {
	t.Parallel()
	doc := parsed(t, generated.Plan(2, 3, 4, 3, 2))
	whole := newWorld(t)
	key := uuid.NewString()
	whole.imports(whole.keyed("author", key), doc)
	want := whole.contentOf()
	total := int64(5) // strategy and four indicators
	died := errors.New("killed")
	for name, fail := range map[string]func(do func() (eventlog.Receipt, error), cancel func()) (eventlog.Receipt, error){
		"before it happened": func(func() (eventlog.Receipt, error), func()) (eventlog.Receipt, error) {
			return eventlog.Receipt{}, eventlog.ErrUnavailable.Because(died)
		},
		"after it happened": func(do func() (eventlog.Receipt, error), _ func()) (eventlog.Receipt, error) {
			if _, err := do(); err != nil {
				return eventlog.Receipt{}, err
			}
			return eventlog.Receipt{}, eventlog.ErrOutcomeUnknown.Because(died)
		},
		"canceled": func(_ func() (eventlog.Receipt, error), cancel func()) (eventlog.Receipt, error) {
			cancel()
			return eventlog.Receipt{}, eventlog.ErrOutcomeUnknown.Because(died)
		},
	} {
		for n := int64(1); n <= total; n++ {
			log := &spy{Log: &memory.Log{}}
			w := newWorldOn(t, log)
			ctx, cancel := context.WithCancel(t.Context())
			before := log.appends.Load()
			var dead atomic.Bool
			log.onAppend = func(i int64, do func() (eventlog.Receipt, error)) (eventlog.Receipt, error) {
				switch {
				case i-before == n:
					dead.Store(true)
					return fail(do, cancel)
				case dead.Load(): // a dead process appends nothing more
					return eventlog.Receipt{}, eventlog.ErrUnavailable.Because(died)
				}
				return do()
			}
			c := w.keyed("author", key)
			_, err := w.commands.Imports.StratML(ctx, c, doc, nil)
			if !errors.Is(err, died) && !errors.Is(err, context.Canceled) {
				t.Fatalf("%s, append %d: got %v", name, n, err)
			}
			cancel()
			log.onAppend = nil
			w.commands = w.process()
			got := w.imports(c, doc)
			if diff := cmp.Diff(want, w.contentOf()); diff != "" {
				t.Errorf("%s, append %d: the log differs (-whole +resumed):\n%s", name, n, diff)
			}
			if head, _ := log.Head(t.Context()); got.Position > head || got.Position == 0 {
				t.Errorf("%s, append %d: position %d of %d", name, n, got.Position, head)
			}
		}
	}
}

var idPattern = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// contentOf is what the strategies and indicators of the organization say,
// without what differs by chance: ids derived from the organization and its
// members, times, positions.
func (w *world) contentOf() map[string][]string {
	w.t.Helper()
	events, err := w.log.Read(w.t.Context(), 0, 10_000)
	if err != nil {
		w.t.Fatal(err)
	}
	names := map[string]string{}
	content := map[string][]string{}
	var mine []eventlog.Event
	for _, e := range events {
		if !strings.HasPrefix(e.StreamID, "organization-") {
			mine = append(mine, e)
		}
	}
	// Streams are named by their first event, so that their order does not count.
	for _, e := range mine {
		if e.Version == 1 {
			names[e.StreamID] = e.Type + idPattern.ReplaceAllString(string(e.Data), "#")
		}
	}
	for _, e := range mine {
		name := names[e.StreamID]
		content[name] = append(content[name], e.Type+idPattern.ReplaceAllString(string(e.Data), "#"))
	}
	return content
}

// A plan of several appends keeps its order, and can be asked for again.
func TestImportOfALongPlan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	doc := parsed(t, generated.Plan(10, 1_000, 0, 0, 0))
	c := w.as("author")
	got := w.imports(c, doc)
	if got.Recorded.Objectives != 1_000 || got.Version != 1_011 {
		t.Errorf("recorded %+v, version %d", got.Recorded, got.Version)
	}
	compare(t, w, got, doc)
	if again := w.imports(c, doc); !again.Replayed || again.Version != got.Version || again.Position != got.Position {
		t.Errorf("again %d at %d, first %d at %d", again.Version, again.Position, got.Version, got.Position)
	}
}

// The same import several times at once, by two processes: one content.
func TestImportRepeatedWhileItRuns(t *testing.T) {
	t.Parallel()
	doc := parsed(t, generated.Plan(2, 3, 4, 3, 2))
	key := uuid.NewString()
	whole := newWorld(t)
	whole.imports(whole.keyed("author", key), doc)
	w := newWorld(t)
	c := w.keyed("author", key)
	processes := []*command.Commands{w.commands, w.process()}
	results := make([]command.Imported, 6)
	errs := together(len(results), func(i int) (err error) {
		results[i], err = processes[i%2].Imports.StratML(t.Context(), c, doc, nil)
		return err
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		r.Replayed = results[0].Replayed
		if diff := cmp.Diff(results[0], r); diff != "" {
			t.Errorf("different answers: %s", diff)
		}
	}
	if diff := cmp.Diff(whole.contentOf(), w.contentOf()); diff != "" {
		t.Errorf("the log differs (-once +at once):\n%s", diff)
	}
}

func TestImportUnderAUsedKeyIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	doc := parsed(t, generated.Plan(1, 1, 1, 2, 0))
	c := w.as("author")
	w.imports(c, doc)
	head, _ := w.log.Head(t.Context())
	other := c
	other.Hash = slices.Concat(c.Hash[1:], c.Hash[:1])
	_, err := w.commands.Imports.StratML(t.Context(), other, parsed(t, generated.Plan(1, 2, 1, 2, 0)), nil)
	refused(t, err, eventlog.ErrCommandReused)
	_, err = w.commands.Strategies.Execute(t.Context(), other, uuid.New(), strategy.DraftStrategy{Frame: strategy.Frame{Name: "P"}})
	refused(t, err, eventlog.ErrCommandReused)
	if now, _ := w.log.Head(t.Context()); now != head {
		t.Errorf("%d events too many", now-head)
	}
}

func TestImportIsRefusedAsAWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	head, _ := w.log.Head(t.Context())
	doc := parsed(t, generated.Plan(2, 3, 4, 3, 0))
	_, err := w.commands.Imports.StratML(t.Context(), w.as("approver"), doc, nil)
	refused(t, err, authz.ErrRole)
	_, err = w.commands.Imports.StratML(t.Context(), w.as("nobody"), doc, nil)
	refused(t, err, command.ErrNotMember)
	// The last result of the last indicator has a text that no event takes.
	last := doc.Goals[1].Objectives[0].Indicators
	last[len(last)-1].Instances[2].Targets[0].Description = strings.Repeat("x", 200_000)
	_, err = w.commands.Imports.StratML(t.Context(), w.as("author"), doc, nil)
	refused(t, err, refusal.Invalid)
	if now, _ := w.log.Head(t.Context()); now != head {
		t.Errorf("%d events of a refused import", now-head)
	}
}

// A member who loses the role while the import runs loses it for the rest.
func TestImportEndsWithTheRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	// One indicator, several appends, the later ones of measurements only: those
	// are recorded by a process, which has no role to lose.
	doc := parsed(t, generated.Plan(1, 1, 1, 1_200, 0))
	instances := doc.Goals[0].Objectives[0].Indicators[0].Instances
	for i := range instances {
		instances[i].Targets = nil
	}
	_, err := w.commands.Imports.StratML(t.Context(), w.as("author"), doc, func(p command.Progress) {
		if p.Done == 2 {
			w.must(w.commands.Organizations.Execute(t.Context(), w.as("admin"), w.org,
				organization.RevokeRole{MemberID: w.members["author"], GrantIDs: grantsOf(t, w, "author"), Reason: "change of post"}))
		}
	})
	refused(t, err, authz.ErrRole)
}

func TestImportSaysWhatItLeavesOut(t *testing.T) {
	t.Parallel()
	result := func(start, end, units, descriptor string) stratml.Result {
		return stratml.Result{StartDate: start, EndDate: end, Units: units, DescriptorValue: descriptor, Description: "note"}
	}
	numbers := stratml.Indicator{Dimension: "Numbers", Instances: []stratml.Instance{{
		Targets: []stratml.Result{
			result("2020-01-01", "2020-12-31", "1.50", "Baseline"),
			result("2020-01-01", "2020-12-31", "2", ""), // twice
		},
		Actuals: []stratml.Result{
			result("2020-01-01", "2020-12-31", ".5", ""),
			result("2021-01-01", "2021-12-31", "", ""),        // empty
			result("2021-01-01", "2021-12-31", "about 5", ""), // no number
			result("2999-01-01", "2999-12-31", "5", ""),       // in the future
			result("2021-12-31", "2021-01-01", "5", ""),       // backwards
			result("", "", "7", ""),                           // the plan's period
			result("", "2019-06-30", "8", ""),                 // a day
		},
	}}}
	words := stratml.Indicator{Dimension: "", Unit: "grade", Instances: []stratml.Instance{{
		Actuals: []stratml.Result{result("2020-04-01", "2021-03-31", "", "good"), result("2021-04-01", "2022-03-31", "", "better")},
	}}}
	doc := &stratml.Document{
		Part: stratml.Part2, Type: stratml.PerformanceReport, Description: "A plan without a name",
		Administrative: stratml.Administrative{StartDate: "2018-01-01", EndDate: "2018-12-31"},
		Submitter:      &stratml.Submitter{GivenName: "Ada"},
		Goals: []stratml.Goal{{Objectives: []stratml.Objective{{
			Name: "O", Indicators: []stratml.Indicator{numbers, words},
			Stakeholders: []stratml.Stakeholder{
				{Type: "Person", Name: "Ada Example", Roles: []stratml.Role{{Name: "Chair", Types: []string{"Performer"}}}},
				{Type: "Organization", Name: "Examples Ltd", Description: "Maker", Roles: []stratml.Role{{Name: "Supplier", Description: "of all"}}},
				{}, // a form left blank
			},
		}}}},
		SHA256: strings.Repeat("0", 64),
	}
	w := newWorld(t)
	got := w.imports(w.as("author"), doc)
	codes := map[string]int{}
	for _, o := range got.Omitted {
		codes[o.Code]++
	}
	want := map[string]int{
		command.ResultTwice: 1, command.EmptyResult: 1, command.ResultNoNumber: 1, command.ResultInFuture: 1, command.ResultBackwards: 1,
		command.PeriodAssumed: 1, command.NameAssumed: 3, command.UnitAssumed: 1, command.PersonWithheld: 2,
	}
	if diff := cmp.Diff(want, codes); diff != "" {
		t.Errorf("omitted (-want +got):\n%s", diff)
	}
	s := fold[strategy.State, strategy.Event](t, w.log, w.org, "strategy-"+got.StrategyID.String(), strategy.State.Apply)
	if s.Working.Plan.Frame.Name != "A plan without a name" || s.Working.Plan.Goals()[0].Name != "Goal 1" {
		t.Errorf("names %q, %q", s.Working.Plan.Frame.Name, s.Working.Plan.Goals()[0].Name)
	}
	wantHolders := []strategy.Stakeholder{
		{Kind: strategy.PersonStakeholder, Roles: []strategy.Role{{Types: []strategy.RoleType{strategy.Performer}}}},
		{Kind: strategy.OrganizationStakeholder, Name: "Examples Ltd", Description: "Maker", Roles: []strategy.Role{{Name: "Supplier", Description: "of all"}}},
	}
	objective := s.Working.Plan.Objectives("")[0]
	if diff := cmp.Diff(wantHolders, objective.Stakeholders); diff != "" {
		t.Error(diff)
	}
	for _, e := range mustRead(t, w.log) {
		if bytes.Contains(e.Data, []byte("Ada")) || bytes.Contains(e.Metadata, []byte("Ada")) {
			t.Errorf("a person is named in %s", e.Type)
		}
	}
	list := w.indicatorsOf(got.StrategyID)[objective.ID]
	slices.SortFunc(list, func(a, b indicator.State) int { return strings.Compare(a.Definition.Unit, b.Definition.Unit) })
	if d := list[0].Definition; d.Type != indicator.Qualitative || d.Frequency != calendar.Year || d.YearStart != 4 || d.Direction != indicator.Undefined {
		t.Errorf("words: %+v", d)
	}
	if d := list[1].Definition; d.Type != indicator.Quantitative || d.Frequency != calendar.Irregular || d.Name != "Numbers" {
		t.Errorf("numbers: %+v", d)
	}
	values := map[string]string{}
	for _, m := range list[1].Measurements() {
		values[m.Period.String()] = string(m.Value)
	}
	if diff := cmp.Diff(map[string]string{"2020-01-01/2020-12-31": "0.5", "2018-01-01/2018-12-31": "7", "2019-06-30/2019-06-30": "8"}, values); diff != "" {
		t.Errorf("measurements: %s", diff)
	}
}

func mustRead(t testing.TB, log eventlog.Log) []eventlog.Event {
	t.Helper()
	events, err := log.Read(t.Context(), 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// Every published document that is read can be imported.
func TestImportOfPublishedDocuments(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]command.Recorded{
		"Pulkit0729__stratml-project/HHIOP20200304.xml":              {Goals: 41, Objectives: 386},
		"Pulkit0729__stratml-project/SMLC2023.xml":                   {Goals: 3, Objectives: 13, Indicators: 21},
		"OwenAmbur__StratML/temp-stratml/temp.xml":                   {Goals: 1, Objectives: 2},
		"jlind0__StratML.NET/StratML.Core.Tests/PMOAI.xml":           {Goals: 1, Objectives: 5},
		"jlind0__StratML.NET/StratML.Core.Tests/SMLC2011.xml":        {Goals: 3, Objectives: 10, Indicators: 11},
		"templates/marioMadunic__stratml/part2/Performance Plan.xml": {Goals: 2, Objectives: 1, Indicators: 1},
	} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			got := w.imports(w.as("author"), parsed(t, published(t, path)))
			t.Logf("%+v, omitted %d", got.Recorded, len(got.Omitted))
			got.Recorded.Targets, got.Recorded.Measurements = 0, 0
			if diff := cmp.Diff(want, got.Recorded); diff != "" {
				t.Error(diff)
			}
		})
	}
}
