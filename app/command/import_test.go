package command_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	documents "strata.dev/strata/adapters/stratml"
	"strata.dev/strata/app/command"
	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/stratml"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/refusal"
	"strata.dev/strata/domain/source"
	"strata.dev/strata/domain/strategy"
	generated "strata.dev/strata/tests/testdata/stratml"
	"strata.dev/strata/tests/testenv"
)

// made are documents that no file is behind, by what stands in for their bytes.
// Everything else is parsed.
type made map[string]*stratml.Document

func (m made) Parse(ctx context.Context, r io.Reader, opts stratml.Options) (*stratml.Document, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	if doc, ok := m[string(b)]; ok {
		return doc, nil
	}
	return documents.Parser{}.Parse(ctx, bytes.NewReader(b), opts)
}

// file gives what stands in for a document's bytes.
func (m made) file(doc *stratml.Document) []byte {
	b := []byte("document " + strconv.Itoa(len(m)))
	m[string(b)] = doc
	return b
}

func parsed(t testing.TB, b []byte) *stratml.Document {
	t.Helper()
	doc, err := documents.Parser{}.Parse(t.Context(), bytes.NewReader(b), stratml.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func kept(t testing.TB, b []byte) *stratml.Document {
	t.Helper()
	doc, _ := parsed(t, b).Kept(string(calendar.Of(time.Now())))
	return doc
}

func upload(b []byte) command.ImportRequest { return command.ImportRequest{Document: b} }

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

func (w *world) imports(c command.Call, document []byte) command.Imported {
	w.t.Helper()
	got, err := w.commands.Imports.Import(w.t.Context(), c, upload(document), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

// compare folds what an import recorded and holds it against the document.
func compare(t testing.TB, w *world, got command.Imported, document []byte) {
	t.Helper()
	doc := kept(t, document)
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
	targets, actuals, yearly := 0, 0, len(want.Instances) > 0
	for _, m := range want.Instances {
		for _, r := range m.Targets {
			targets++
			got, ok := s.Target(periodOf(r), nil)
			if !ok || got.OriginalText != r.Units || got.Descriptor != r.DescriptorValue || got.DescriptorName != r.DescriptorName {
				t.Errorf("%s: target %+v, want %+v", want.Identifier, got, r)
			}
			yearly = yearly && strings.HasSuffix(r.StartDate, "-01-01") && r.EndDate == r.StartDate[:4]+"-12-31"
		}
		for _, r := range m.Actuals {
			actuals++
			got, ok := s.Live(periodOf(r), nil)
			if !ok || got.OriginalText != r.Units || got.Descriptor != r.DescriptorValue {
				t.Errorf("%s: measurement %+v, want %+v", want.Identifier, got, r)
			}
			yearly = yearly && strings.HasSuffix(r.StartDate, "-01-01") && r.EndDate == r.StartDate[:4]+"-12-31"
		}
	}
	if len(s.Targets()) != targets || len(s.Measurements()) != actuals {
		t.Errorf("%s: %d targets and %d measurements, want %d and %d", want.Identifier, len(s.Targets()), len(s.Measurements()), targets, actuals)
	}
	if yearly != (d.Frequency == calendar.Year && d.YearStart == 0) {
		t.Errorf("%s: frequency %s from month %d", want.Identifier, d.Frequency, d.YearStart)
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
	doc := generated.AlbaniaShaped()
	c := w.as("author")
	var last command.Progress
	got, err := w.commands.Imports.Import(t.Context(), c, upload(doc), func(p command.Progress) {
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
	if len(got.Omitted) != 114 || got.Omitted[0].Code != stratml.EmptyResult || got.Omitted[0].Line == 0 ||
		!strings.HasSuffix(got.Omitted[0].Path, "/PerformanceIndicator[1]/MeasurementInstance[1]/ActualResult[1]") {
		t.Errorf("%d omitted, the first %+v", len(got.Omitted), got.Omitted[0])
	}
	compare(t, w, got, doc)

	for i, e := range w.stream("strategy-" + got.StrategyID.String()) {
		m := metadataOf(t, e)
		if m.Origin.Kind != "import" || m.Origin.PayloadSHA256 != got.DocumentSHA256 || m.Origin.MessageID != got.ImportID.String() || m.Actor.ID != w.members["author"] {
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

// T4: what says the same is imported again for a reason only.
func TestImportOfTheSameContentNeedsAReason(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plan := generated.Plan(1, 2, 2, 2, 0)
	first := w.imports(w.as("author"), plan)
	head, _ := w.log.Head(t.Context())

	// Another file, the same content.
	second := upload(bytes.ReplaceAll(plan, []byte("><"), []byte(">\n <")))
	c := w.as("author")
	_, err := w.commands.Imports.Import(t.Context(), c, second, nil)
	f := faultOf(t, err, source.ErrIdentical)
	if f.Extra["importId"] != first.ImportID.String() || f.Extra["strategyId"] != first.StrategyID.String() {
		t.Errorf("identical with %v, want %s and %s", f.Extra, first.ImportID, first.StrategyID)
	}
	w.rejected(head, "identical", second.Document, 0, 0)
	_, err = w.commands.Imports.Import(t.Context(), c, second, nil)
	refused(t, err, source.ErrIdentical)
	if now, _ := w.log.Head(t.Context()); now != head+1 {
		t.Errorf("%d events of one refusal", now-head)
	}

	second.Again = true
	_, err = w.commands.Imports.Import(t.Context(), w.as("author"), second, nil)
	refused(t, err, refusal.Invalid) // without a reason
	second.Reason = "The first one is for training."
	got, err := w.commands.Imports.Import(t.Context(), w.as("author"), second, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.StrategyID == first.StrategyID || got.ContentHash != first.ContentHash || !got.Again || got.ImportAccepted.Reason != second.Reason {
		t.Errorf("again: %+v", got.Import)
	}
	compare(t, w, got, second.Document)
}

// rejected makes sure that exactly one event followed position head, and says that.
func (w *world) rejected(head int64, code string, document []byte, line, column int) {
	w.t.Helper()
	events, err := w.log.Read(w.t.Context(), head, 10)
	if err != nil {
		w.t.Fatal(err)
	}
	if len(events) != 1 || events[0].Type != "source.ingest-rejected" {
		w.t.Fatalf("after the refusal the log has %v", types(events))
	}
	body, err := eventcodec.Decode(events[0].Type, events[0].SchemaVersion, events[0].Data)
	if err != nil {
		w.t.Fatal(err)
	}
	got := body.(source.IngestRejected)
	sum := sha256.Sum256(document)
	want := source.IngestRejected{
		MessageID: got.MessageID, PayloadSHA256: hex.EncodeToString(sum[:]), Size: len(document), Code: code, Line: line, Column: column,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("rejected (-want +got):\n%s", diff)
	}
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
			doc := document(t)
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

// A plan of several appends keeps its order, and can be asked for again.
func TestImportOfALongPlan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	doc := generated.Plan(10, 1_000, 0, 0, 0)
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

func TestImportUnderAUsedKeyIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	doc := generated.Plan(1, 1, 1, 2, 0)
	c := w.as("author")
	w.imports(c, doc)
	head, _ := w.log.Head(t.Context())
	other := c
	other.Hash = slices.Concat(c.Hash[1:], c.Hash[:1])
	_, err := w.commands.Imports.Import(t.Context(), other, upload(generated.Plan(1, 2, 1, 2, 0)), nil)
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
	doc := generated.Plan(2, 3, 4, 3, 0)
	_, err := w.commands.Imports.Import(t.Context(), w.as("approver"), upload(doc), nil)
	refused(t, err, authz.ErrRole)
	_, err = w.commands.Imports.Import(t.Context(), w.as("nobody"), upload(doc), nil)
	refused(t, err, command.ErrNotMember)
	if now, _ := w.log.Head(t.Context()); now != head {
		t.Errorf("%d events of imports by people who may not", now-head)
	}
	// The last result of the last indicator has a text that no event takes.
	i := bytes.LastIndex(doc, []byte("</Description></ActualResult>"))
	long := slices.Concat(doc[:i], bytes.Repeat([]byte("x"), 200_000), doc[i:])
	_, err = w.commands.Imports.Import(t.Context(), w.as("author"), upload(long), nil)
	refused(t, err, refusal.Invalid)
	w.rejected(head, "not-acceptable", long, 0, 0)
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
	_, err := w.commands.Imports.Import(t.Context(), w.as("author"), upload(w.made.file(doc)), func(p command.Progress) {
		if p.Done == 2 {
			w.must(w.commands.Organizations.Execute(t.Context(), w.as("admin"), w.org,
				organization.RevokeRole{MemberID: w.members["author"], GrantIDs: grantsOf(t, w, "author"), Reason: "change of post"}))
		}
	})
	refused(t, err, authz.ErrRole)
}
