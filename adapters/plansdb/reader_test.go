package plansdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/adapters/internal/readdb/readdbtest"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/strategy"
	"strata.dev/strata/tests/testenv"
)

// What belongs to another organization is not there, whatever is asked.
func TestOtherOrganizationsAreNotFound(t *testing.T) {
	f := setup(t, Options{})
	mine, theirs := f.history(5, 200), f.history(6, 200)
	f.catchUp(t, 1000)
	ctx := t.Context()
	s, i := theirs.Strategies[0].ID, theirs.Indicators[0].ID
	_, err1 := f.reader.Strategy(ctx, as(mine), query.StrategyAsk{ID: s})
	_, err2 := f.reader.Scorecard(ctx, as(mine), query.ScorecardFilter{StrategyID: s})
	_, err3 := f.reader.Indicator(ctx, as(mine), i)
	_, err4 := f.reader.Series(ctx, as(mine), query.SeriesFilter{IndicatorID: i})
	_, err5 := f.reader.Organization(ctx, asID(uuid.New()))
	_, err6 := f.reader.Finding(ctx, as(mine), theirs.Findings[0].ID)
	_, err7 := f.reader.Evidence(ctx, as(mine), theirs.Evidence[0].ID)
	_, err8 := f.reader.Source(ctx, as(mine), theirs.Sources[0].ID)
	_, err9 := f.reader.Person(ctx, as(mine), uuid.MustParse(theirs.Findings[0].State.Subjects[0].ID))
	_, err10 := f.reader.Person(ctx, as(mine), theirs.Members()[0])
	for n, err := range []error{err1, err2, err3, err4, err5, err6, err7, err8, err9, err10} {
		if !errors.Is(err, query.ErrNotFound) {
			t.Errorf("question %d: %v, want not-found", n+1, err)
		}
	}
	page, err := f.reader.Strategies(ctx, as(mine), query.StrategyFilter{Paging: query.Paging{Limit: query.MaxLimit}})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Items) != len(mine.Strategies) {
		t.Errorf("%d strategies, want %d", len(page.Items), len(mine.Strategies))
	}
	for _, item := range page.Items {
		if slices.ContainsFunc(theirs.Strategies, func(s *readdbtest.Strategy) bool { return s.ID.String() == item.ID }) {
			t.Errorf("strategy %s of the other organization is in the list", item.ID)
		}
	}
}

// Pages hold each strategy once, the newest first, also when some are drafted
// while somebody turns the pages.
func TestPagesOfStrategies(t *testing.T) {
	f := setup(t, Options{})
	w := readdbtest.NewWorld(f.log, seeded(7))
	for range 7 {
		w.Draft()
	}
	f.catchUp(t, 100)
	var got []string
	filter := query.StrategyFilter{Paging: query.Paging{Limit: 3}}
	for {
		page, err := f.reader.Strategies(t.Context(), as(w), filter)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range page.Items {
			got = append(got, s.ID)
		}
		if filter.Cursor = page.NextCursor; filter.Cursor == "" {
			break
		}
		w.Draft()
		f.catchUp(t, 100)
	}
	var want []string
	for _, s := range slices.Backward(w.Strategies[:7]) {
		want = append(want, s.ID.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	page, err := f.reader.Strategies(t.Context(), as(w), query.StrategyFilter{State: "active"})
	if err != nil || len(page.Items) != 0 {
		t.Errorf("active ones: %d, %v: want none", len(page.Items), err)
	}
}

func TestQuestionsThatCannotBeAsked(t *testing.T) {
	f := setup(t, Options{})
	w := f.history(8, 60)
	f.catchUp(t, 100)
	ctx, r := t.Context(), f.reader
	cursor, err := query.EncodeCursor(query.StrategyFilter{State: "active"}, query.Moment{}, 1, "1")
	if err != nil {
		t.Fatal(err)
	}
	strategies := func(q query.StrategyFilter) error { _, err := r.Strategies(ctx, as(w), q); return err }
	series := func(q query.SeriesFilter) error {
		q.IndicatorID = w.Indicators[0].ID
		_, err := r.Series(ctx, as(w), q)
		return err
	}
	members := func(p query.Paging) error { _, err := r.Members(ctx, as(w), p); return err }
	findings := func(q query.FindingFilter) error { _, err := r.Findings(ctx, as(w), q); return err }
	evidence := func(q query.EvidenceFilter) error { _, err := r.EvidenceList(ctx, as(w), q); return err }
	sources := func(q query.SourceFilter) error { _, err := r.Sources(ctx, as(w), q); return err }
	external := func(q query.ExternalFilter) error { _, err := r.ExternalChanges(ctx, as(w), q); return err }
	minus, many := -1, query.MaxExpiringWithin+1
	for what, c := range map[string]struct{ got, want error }{
		"limit":                    {strategies(query.StrategyFilter{Paging: query.Paging{Limit: 201}}), query.ErrInvalid},
		"negative limit":           {members(query.Paging{Limit: -1}), query.ErrInvalid},
		"state":                    {strategies(query.StrategyFilter{State: "'; DROP"}), query.ErrInvalid},
		"date":                     {series(query.SeriesFilter{From: "2026-02-30"}), query.ErrInvalid},
		"garbage for a cursor":     {strategies(query.StrategyFilter{Paging: query.Paging{Cursor: "!"}}), query.ErrInvalidCursor},
		"cursor of another filter": {strategies(query.StrategyFilter{State: "preparing", Paging: query.Paging{Cursor: cursor}}), query.ErrInvalidCursor},
		"cursor of another list":   {members(query.Paging{Cursor: cursor}), query.ErrInvalidCursor},
		"state of a finding":       {findings(query.FindingFilter{State: []string{"open", "lost"}}), query.ErrInvalid},
		"severity":                 {findings(query.FindingFilter{Severity: []string{"dire"}}), query.ErrInvalid},
		"origin":                   {findings(query.FindingFilter{Origin: "rumour"}), query.ErrInvalid},
		"days before":              {findings(query.FindingFilter{ExpiringWithin: &minus}), query.ErrInvalid},
		"too many days":            {findings(query.FindingFilter{ExpiringWithin: &many}), query.ErrInvalid},
		"day of the board":         {findings(query.FindingFilter{On: "2026-02-30"}), query.ErrInvalid},
		"kind of evidence":         {evidence(query.EvidenceFilter{Kind: "rumour"}), query.ErrInvalid},
		"type of target":           {evidence(query.EvidenceFilter{TargetType: "person", TargetID: "x"}), query.ErrInvalid},
		"half a target":            {evidence(query.EvidenceFilter{TargetType: "finding"}), query.ErrInvalid},
		"status of a source":       {sources(query.SourceFilter{Status: "asleep"}), query.ErrInvalid},
		"channel":                  {sources(query.SourceFilter{Channel: "fax"}), query.ErrInvalid},
		"outcome":                  {external(query.ExternalFilter{Outcome: "x' OR true --"}), query.ErrInvalid},
		"text for an id":           {findings(query.FindingFilter{OwnerID: "'; DROP", StrategyID: "x", IndicatorID: "y", Origin: "audit"}), nil},
		"its own cursor":           {strategies(query.StrategyFilter{State: "active", Paging: query.Paging{Cursor: cursor}}), nil},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: %v, want %v", what, c.got, c.want)
		}
	}
}

// The scorecard has a line for each living indicator and adds up per goal.
func TestScorecardAddsUp(t *testing.T) {
	f := setup(t, Options{})
	w := readdbtest.NewWorld(f.log, seeded(9))
	s := w.Draft()
	goal := w.AddGoal(s)
	w.AddObjective(s, goal)
	empty := w.AddGoal(s)
	for range 6 {
		w.Measured(s, 5)
	}
	f.catchUp(t, 100)
	card, err := f.reader.Scorecard(t.Context(), as(w), query.ScorecardFilter{StrategyID: s.ID})
	if err != nil {
		t.Fatal(err)
	}
	onTrack, worst := 0, "unknown"
	for n, i := range w.Indicators {
		line := card.Items[n]
		if line.ID != i.ID.String() || line.GoalID != goal || line.Health != string(i.State.Status) {
			t.Errorf("line %d: %+v, want %s %s", n, line, i.ID, i.State.Status)
		}
		if line.Actual.Period.End != "1994-12-31" || line.Actual.Value != "4.5" || line.Target.Value != "4.5" || line.Source != "api" {
			t.Errorf("line %d: actual %+v, target %+v, want 4.5 of 1994", n, line.Actual, line.Target)
		}
		if i.State.Status == indicator.OnTrack {
			onTrack++
		}
		worst = worse(worst, string(i.State.Status))
	}
	want := []query.ScorecardGoal{
		{GoalID: goal, Name: card.Goals[0].Name, Health: worst, Indicators: 6, Known: 6, OnTrack: onTrack, Stale: 6},
		{GoalID: empty, Name: card.Goals[1].Name, Health: "unknown"},
	}
	if diff := cmp.Diff(want, card.Goals); diff != "" || len(card.Items) != 6 || card.Version != 4 {
		t.Errorf("%d lines at version %d; goals (-want +got):\n%s", len(card.Items), card.Version, diff)
	}
}

// An indicator whose objective was retired is shown apart, not lost.
func TestUnattachedIndicators(t *testing.T) {
	f := setup(t, Options{})
	w := readdbtest.NewWorld(f.log, seeded(10))
	s := w.Draft()
	i := w.Define(s) // under an objective that is not there
	f.catchUp(t, 100)
	got, err := f.reader.Strategy(t.Context(), as(w), query.StrategyAsk{ID: s.ID})
	if err != nil || len(got.Unattached) != 1 || got.Unattached[0].ID != i.ID.String() {
		t.Errorf("unattached %+v, %v: want %s", got.Unattached, err, i.ID)
	}
	card, err := f.reader.Scorecard(t.Context(), as(w), query.ScorecardFilter{StrategyID: s.ID})
	if err != nil || len(card.Items) != 1 || card.Items[0].GoalID != "" || card.Items[0].ObjectiveID != i.State.ObjectiveID {
		t.Errorf("scorecard %+v, %v: want the indicator without a goal", card.Items, err)
	}
}

// The basis of an approval changes with definitions and targets, not with
// measurements; its authors are those since the last activation.
func TestIndicatorBasis(t *testing.T) {
	f := setup(t, Options{})
	w := readdbtest.NewWorld(f.log, seeded(11))
	s := w.Draft()
	w.AddObjective(s, w.AddGoal(s))
	basis := func() (string, []string) {
		t.Helper()
		f.catchUp(t, 100)
		head, err := f.log.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		digest, authors, at, err := f.reader.IndicatorBasis(t.Context(), w.ID, s.ID, head)
		if err != nil || at != head {
			t.Fatalf("basis at %d: %v, want %d", at, err, head)
		}
		return digest, authors
	}
	empty, authors := basis()
	if len(authors) != 0 {
		t.Errorf("authors of nothing: %v", authors)
	}
	i := w.Define(s)
	author := i.State.AuthorsSince(time.Time{})
	defined, authors := basis()
	if defined == empty || !slices.Equal(authors, author) {
		t.Errorf("after a definition the digest is %s, the authors %v, want another than %s and %v", defined, authors, empty, author)
	}
	other := fact.Actor{ID: uuid.NewString(), Kind: fact.Person}
	record := func(e any) { f.log.Record(w.ID, "indicator-"+i.ID.String(), other, e) }
	record(indicator.MeasurementRecorded{MeasurementID: uuid.NewString(), Reading: indicator.Reading{Value: "1"}})
	if measured, authors := basis(); measured != defined || !slices.Equal(authors, author) {
		t.Errorf("a measurement changed the basis to %s by %v", measured, authors)
	}
	set := indicator.TargetSet{Reading: indicator.Reading{Value: "2"}, Reason: "r"}
	record(set)
	targeted, authors := basis()
	if want := indicator.Digest([]indicator.Basis{i.State.Apply(other, set).Basis()}); targeted != want {
		t.Errorf("the read side's digest is %s, the log's %s", targeted, want)
	}
	if both := sorted(author[0], other.ID); targeted == defined || !slices.Equal(authors, both) {
		t.Errorf("after a target by another: %s by %v, want another digest by %v", targeted, authors, both)
	}
	w.ActivateFirst(s)
	if active, authors := basis(); active != targeted || len(authors) != 0 {
		t.Errorf("after the activation: %s by %v, want the same digest and no authors", active, authors)
	}

	record(indicator.TargetSet{Reading: indicator.Reading{Value: "\x00"}, Reason: "cannot be stored"})
	f.catchUp(t, 100)
	if _, _, _, err := f.reader.IndicatorBasis(t.Context(), w.ID, s.ID, 0); !errors.Is(err, query.ErrIncomplete) {
		t.Errorf("with a parked indicator: %v, want projection-incomplete", err)
	}
	stranger := f.history(12, 30)
	f.catchUp(t, 100)
	if _, _, _, err := f.reader.IndicatorBasis(t.Context(), stranger.ID, stranger.Strategies[0].ID, 0); err != nil {
		t.Errorf("another organization is held up, too: %v", err)
	}
}

func sorted(ids ...string) []string {
	slices.Sort(ids)
	return ids
}

// Who a person is stays in the database as it is in the log, and so in answers.
func TestSealedTextsStaySealed(t *testing.T) {
	f := setup(t, Options{})
	w := f.history(13, 900)
	f.catchUp(t, 100)
	conn := testenv.Pool(t, f.urls.Admin)
	text := readdbtest.Sealed(readdbtest.Somebody, "secret-name")
	found := map[string]int{}
	for _, c := range (model{}).Content() {
		rows, err := conn.Query(t.Context(), fmt.Sprintf(`SELECT to_jsonb(r)::text FROM plans_g1.%s r`, c.Table))
		if err != nil {
			t.Fatal(err)
		}
		all, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		if len(all) == 0 {
			t.Errorf("table %s is empty: nothing is tested", c.Table)
		}
		content := strings.Join(all, "\n")
		if strings.Contains(content, "secret-name") {
			t.Errorf("table %s says in clear what is sealed", c.Table)
		}
		found[c.Table] = strings.Count(content, text)
	}
	for _, table := range []string{"elements", "imports", "occurrences"} {
		if found[table] == 0 {
			t.Errorf("table %s has no sealed text: nothing is tested", table)
		}
	}
	shown := 0
	for _, s := range w.Strategies {
		got, err := f.reader.Strategy(t.Context(), as(w), query.StrategyAsk{ID: s.ID})
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range got.Tree {
			for _, who := range g.Stakeholders {
				if person := who.Kind == strategy.PersonStakeholder; person != who.Sealed || person && (who.Name != "" || who.Text != text || who.SubjectID != readdbtest.Somebody) {
					t.Errorf("a stakeholder is shown as %+v", who)
				} else if person {
					shown++
				}
			}
		}
	}
	if shown == 0 {
		t.Error("no person was shown: nothing is tested")
	}
}

// Answers are sent as they are: 64-bit numbers and decimals are strings.
func TestAnswersAsJSON(t *testing.T) {
	f := setup(t, Options{})
	w := readdbtest.NewWorld(f.log, seeded(14))
	s := w.Draft()
	w.AddObjective(s, w.AddGoal(s))
	i := w.Measured(s, 2)
	f.catchUp(t, 100)
	ctx := context.Background()
	tree, err := f.reader.Strategy(ctx, as(w), query.StrategyAsk{ID: s.ID})
	if err != nil {
		t.Fatal(err)
	}
	series, err := f.reader.Series(ctx, as(w), query.SeriesFilter{IndicatorID: i.ID, From: "1991-01-01", To: "1991-12-31"})
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		answer any
		want   []string
	}{
		"strategy": {tree, []string{`"version":"3"`, `"position":"` + fmt.Sprint(tree.Position) + `"`, `"state":"preparing"`, `"working":{"number":1,"state":"draft"`}},
		"series": {series, []string{
			`"kind":"target","period":{"start":"1991-01-01","end":"1991-12-31"},"value":"1.5"`, `"kind":"measurement"`,
			`"originalText":"1.5"`, `"epoch":0`,
		}},
	} {
		b, err := json.Marshal(c.answer)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			if !strings.Contains(string(b), want) {
				t.Errorf("%s has no %s: %s", what, want, b)
			}
		}
	}
}
