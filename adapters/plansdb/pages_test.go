package plansdb

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/adapters/internal/readdb/readdbtest"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/source"
	"strata.dev/strata/domain/strategy"
	"strata.dev/strata/tests/testenv"
)

// paged is a list under test: one page of it, as the names of its items.
type paged struct {
	name string
	page func(r query.Read, p query.Paging) (names []string, next string, total *int64, err error)
}

func (f *fixture) lists(t *testing.T, strategyID, indicatorID uuid.UUID) []paged {
	t.Helper()
	ctx := t.Context()
	return []paged{
		{"strategies", func(r query.Read, p query.Paging) (names []string, next string, total *int64, err error) {
			page, err := f.reader.Strategies(ctx, r, query.StrategyFilter{Paging: p})
			for _, i := range page.Items {
				names = append(names, i.ID)
			}
			return names, page.NextCursor, page.Total, err
		}},
		{"members", func(r query.Read, p query.Paging) (names []string, next string, total *int64, err error) {
			page, err := f.reader.Members(ctx, r, p)
			for _, i := range page.Items {
				names = append(names, i.ID)
			}
			return names, page.NextCursor, page.Total, err
		}},
		{"holds", func(r query.Read, p query.Paging) (names []string, next string, total *int64, err error) {
			page, err := f.reader.Holds(ctx, r, query.HoldFilter{Paging: p})
			for _, i := range page.Items {
				names = append(names, i.ID)
			}
			return names, page.NextCursor, page.Total, err
		}},
		{"imports", func(r query.Read, p query.Paging) (names []string, next string, total *int64, err error) {
			page, err := f.reader.Imports(ctx, r, query.ImportFilter{Paging: p})
			for _, i := range page.Items {
				names = append(names, i.ID)
			}
			return names, page.NextCursor, page.Total, err
		}},
		{"findings", func(r query.Read, p query.Paging) (names []string, next string, total *int64, err error) {
			page, err := f.reader.Findings(ctx, r, query.FindingFilter{Paging: p})
			for _, i := range page.Items {
				names = append(names, i.ID)
			}
			return names, page.NextCursor, page.Total, err
		}},
		{"findings about a strategy", func(r query.Read, p query.Paging) (names []string, next string, total *int64, err error) {
			page, err := f.reader.Findings(ctx, r, query.FindingFilter{StrategyID: strategyID.String(), Paging: p})
			for _, i := range page.Items {
				names = append(names, i.ID)
			}
			return names, page.NextCursor, page.Total, err
		}},
		{"evidence", func(r query.Read, p query.Paging) (names []string, next string, total *int64, err error) {
			page, err := f.reader.EvidenceList(ctx, r, query.EvidenceFilter{Paging: p})
			for _, i := range page.Items {
				names = append(names, i.ID)
			}
			return names, page.NextCursor, page.Total, err
		}},
		{"evidence of a strategy", func(r query.Read, p query.Paging) (names []string, next string, total *int64, err error) {
			page, err := f.reader.EvidenceList(ctx, r, query.EvidenceFilter{TargetType: "strategy", TargetID: strategyID.String(), Paging: p})
			for _, i := range page.Items {
				names = append(names, i.ID)
			}
			return names, page.NextCursor, page.Total, err
		}},
		{"sources", func(r query.Read, p query.Paging) (names []string, next string, total *int64, err error) {
			page, err := f.reader.Sources(ctx, r, query.SourceFilter{Paging: p})
			for _, i := range page.Items {
				names = append(names, i.ID)
			}
			return names, page.NextCursor, page.Total, err
		}},
		{"external changes", func(r query.Read, p query.Paging) (names []string, next string, total *int64, err error) {
			page, err := f.reader.ExternalChanges(ctx, r, query.ExternalFilter{Paging: p})
			for _, i := range page.Items {
				names = append(names, i.EventID)
			}
			return names, page.NextCursor, page.Total, err
		}},
		{"rejections", func(r query.Read, p query.Paging) (names []string, next string, total *int64, err error) {
			page, err := f.reader.ExternalChanges(ctx, r, query.ExternalFilter{Outcome: query.ChangeRejected, Paging: p})
			for _, i := range page.Items {
				names = append(names, i.EventID)
			}
			return names, page.NextCursor, page.Total, err
		}},
		{"approvals", func(r query.Read, p query.Paging) (names []string, next string, total *int64, err error) {
			page, err := f.reader.Approvals(ctx, r, query.ApprovalFilter{Paging: p})
			for _, i := range page.Items {
				names = append(names, i.EventID)
			}
			return names, page.NextCursor, page.Total, err
		}},
		{"approvals of a strategy", func(r query.Read, p query.Paging) (names []string, next string, total *int64, err error) {
			page, err := f.reader.Approvals(ctx, r, query.ApprovalFilter{StrategyID: strategyID.String(), Paging: p})
			for _, i := range page.Items {
				names = append(names, i.EventID)
			}
			return names, page.NextCursor, page.Total, err
		}},
		{"scorecard", func(r query.Read, p query.Paging) (names []string, next string, total *int64, err error) {
			page, err := f.reader.Scorecard(ctx, r, query.ScorecardFilter{StrategyID: strategyID, Paging: p})
			for _, i := range page.Items {
				names = append(names, i.ID)
			}
			return names, page.NextCursor, page.Total, err
		}},
		{"series", func(r query.Read, p query.Paging) (names []string, next string, total *int64, err error) {
			page, err := f.reader.Series(ctx, r, query.SeriesFilter{IndicatorID: indicatorID, Paging: p})
			for _, i := range page.Items {
				names = append(names, i.Kind+i.Period.String())
			}
			return names, page.NextCursor, page.Total, err
		}},
	}
}

// grow adds something to every list.
func grow(w *readdbtest.World, s *readdbtest.Strategy) {
	approver := fact.Actor{ID: uuid.NewString(), Kind: fact.Person}
	stream := "strategy-" + s.ID.String()
	hash := strings.Repeat("ab", 32)
	w.Draft()
	w.Log.Record(w.ID, stream, approver, strategy.ApprovalGiven{Revision: 1, ContentHash: hash, ApproverID: approver.ID, Meaning: strategy.Business})
	w.Log.Record(w.ID, "source-"+w.ID.String(), approver, source.IngestRejected{MessageID: uuid.NewString(), PayloadSHA256: hash, Code: "malformed"})
	w.Grow()
	measured := w.Measured(s, 2)
	w.RaiseAbout(s)
	w.CollectFor(s)
	from := w.Connect()
	w.Refuse(from)
	w.Send(measured, from, 2020)
}

// However many items arrive between two pages, in front of, among and behind
// those that were there: the pages are those of the list at the first page.
func TestPagesAreStable(t *testing.T) {
	f := setup(t, Options{})
	w := readdbtest.NewWorld(f.log, seeded(31))
	s := w.Draft()
	w.AddObjective(s, w.AddGoal(s))
	w.Log.Record(w.ID, "strategy-"+s.ID.String(), fact.Actor{ID: "author", Kind: fact.Person}, strategy.Submitted{
		Revision: 1, ContentHash: strings.Repeat("ab", 32), IndicatorDigest: strings.Repeat("ab", 32), Authors: []string{"author"},
	})
	series := w.Measured(s, 5)
	for range 6 {
		grow(w, s)
	}
	f.catchUp(t, 100)
	for _, l := range f.lists(t, s.ID, series.ID) {
		whole, next, _, err := l.page(as(w), query.Paging{Limit: query.MaxLimit})
		if err != nil || next != "" || len(whole) < 5 {
			t.Fatalf("%s: %d items, %q, %v: too few to page through", l.name, len(whole), next, err)
		}
		var got []string
		paging := query.Paging{Limit: max(2, len(whole)/5), Count: true}
		for pages := 0; ; pages++ {
			names, next, total, err := l.page(as(w), paging)
			if err != nil {
				t.Fatalf("%s: %v", l.name, err)
			}
			if int(*total) != len(whole) {
				t.Errorf("%s: page %d counts %d, want %d", l.name, pages, *total, len(whole))
			}
			got = append(got, names...)
			if paging.Cursor = next; next == "" {
				break
			}
			grow(w, s)
			w.Remeasure(series, 1980+pages)
			w.Remeasure(series, 2000+pages)
			f.catchUp(t, 100)
		}
		if !slices.Equal(got, whole) {
			t.Errorf("%s: the pages have %d items %v, want %d %v", l.name, len(got), got, len(whole), whole)
		}
	}
}

// A cursor belongs to its question.
func TestCursorsOfOtherQuestions(t *testing.T) {
	f := setup(t, Options{})
	w := f.history(32, 10)
	for _, l := range f.lists(t, w.Strategies[0].ID, uuid.New()) {
		for _, cursor := range []string{"x", "e30", "bm90IGpzb24"} {
			if _, _, _, err := l.page(as(w), query.Paging{Cursor: cursor}); !errors.Is(err, query.ErrInvalidCursor) {
				t.Errorf("%s with cursor %q: %v, want invalid-cursor", l.name, cursor, err)
			}
		}
	}
	cursor, err := query.EncodeCursor(query.StrategyFilter{State: "active"}, query.Moment{}, 5, "5")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.reader.Strategies(t.Context(), as(w), query.StrategyFilter{Paging: query.Paging{Cursor: cursor}}); !errors.Is(err, query.ErrInvalidCursor) {
		t.Errorf("a cursor of another filter: %v, want invalid-cursor", err)
	}
}

// No list and no answer has anything of another organization.
func TestListsAreOfOneOrganization(t *testing.T) {
	f := setup(t, Options{})
	w := f.history(33, 1700)
	f.catchUp(t, 200)
	for _, l := range f.lists(t, w.Strategies[0].ID, w.Indicators[0].ID) {
		mine, _, _, err := l.page(as(w), query.Paging{})
		if err != nil || len(mine) == 0 && !strings.HasSuffix(l.name, "a strategy") {
			t.Errorf("%s: %d items, %v: nothing is tested", l.name, len(mine), err)
		}
		theirs, _, _, err := l.page(asID(uuid.New()), query.Paging{Count: true})
		if err != nil && !errors.Is(err, query.ErrNotFound) || len(theirs) > 0 {
			t.Errorf("%s: another organization sees %v, %v", l.name, theirs, err)
		}
	}
	page, err := f.reader.Imports(t.Context(), as(w), query.ImportFilter{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.reader.Import(t.Context(), asID(uuid.New()), uuid.MustParse(page.Items[0].ID)); !errors.Is(err, query.ErrNotFound) {
		t.Errorf("an import of another organization: %v, want not-found", err)
	}
}

// Every table of every copy, and of the template, is under row-level security
// that not even the owner escapes.
func TestEveryTableIsUnderRowLevelSecurity(t *testing.T) {
	f := setup(t, Options{})
	rows, err := testenv.Pool(t, f.urls.Admin).Query(t.Context(), `
		SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname LIKE 'plans%' AND c.relkind IN ('r', 'p') AND NOT (c.relrowsecurity AND c.relforcerowsecurity)`)
	if err != nil {
		t.Fatal(err)
	}
	open, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(open) > 0 {
		t.Errorf("without row-level security: %v, %v", open, err)
	}
	var copied int
	err = testenv.Pool(t, f.urls.Admin).QueryRow(t.Context(), `SELECT count(*) FROM pg_tables WHERE schemaname = 'plans_g1'`).Scan(&copied)
	if want := len((model{}).Content()); err != nil || copied != want {
		t.Errorf("%d tables in the copy, %v, want the %d of the digest", copied, err, want)
	}
}

// The register is the log: one item per approval given, with its revision's
// authors, who are none of the approvers.
func TestApprovalsAreTheLog(t *testing.T) {
	f := setup(t, Options{})
	w := f.history(34, 1500)
	f.catchUp(t, 300)
	events, err := f.log.Read(t.Context(), 0, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, e := range events {
		if e.Type == "strategy.approval-given" {
			want = append(want, e.ID.String())
		}
	}
	page, err := f.reader.Approvals(t.Context(), as(w), query.ApprovalFilter{Paging: query.Paging{Limit: query.MaxLimit, Count: true}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	voided := 0
	for _, a := range page.Items {
		got = append(got, a.EventID)
		if !a.Independent || len(a.Overlap) > 0 || len(a.Authors) == 0 || !slices.Contains(a.Approvers, a.ApproverID) || a.SubmittedAt == nil {
			t.Errorf("approval %+v: want authors, and an approver who is none of them", a)
		}
		if a.VoidedAt != nil {
			voided++
		}
	}
	if !slices.Equal(got, want) || int(*page.Total) != len(want) || voided == 0 || voided == len(want) {
		t.Errorf("%d items, %d counted, %d void; the log has %d approvals", len(got), *page.Total, voided, len(want))
	}
	for _, approver := range []string{page.Items[0].ApproverID, page.Items[len(page.Items)-1].ApproverID} {
		of, err := f.reader.Approvals(t.Context(), as(w), query.ApprovalFilter{ApproverID: approver, Paging: query.Paging{Limit: query.MaxLimit}})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, a := range page.Items {
			if a.ApproverID == approver {
				n++
			}
		}
		if len(of.Items) != n {
			t.Errorf("%d approvals of %s, want %d", len(of.Items), approver, n)
		}
	}
}

// An author who approved all the same, as only an event by hand can say, shows.
func TestApprovalsShowWhoIsNotIndependent(t *testing.T) {
	f := setup(t, Options{})
	w := readdbtest.NewWorld(f.log, seeded(35))
	s := w.Draft()
	stream, hash := "strategy-"+s.ID.String(), strings.Repeat("ab", 32)
	both, other := fact.Actor{ID: uuid.NewString(), Kind: fact.Person}, fact.Actor{ID: uuid.NewString(), Kind: fact.Person}
	w.Log.Record(w.ID, stream, both, strategy.Submitted{Revision: 1, ContentHash: hash, IndicatorDigest: hash, Authors: []string{both.ID}})
	for _, by := range []fact.Actor{other, both} {
		w.Log.Record(w.ID, stream, by, strategy.ApprovalGiven{Revision: 1, ContentHash: hash, ApproverID: by.ID, Meaning: strategy.Business})
	}
	f.catchUp(t, 100)
	page, err := f.reader.Approvals(t.Context(), as(w), query.ApprovalFilter{StrategyID: s.ID.String(), Revision: 1})
	if err != nil || len(page.Items) != 2 {
		t.Fatalf("%+v, %v", page, err)
	}
	first, second := page.Items[0], page.Items[1]
	if !first.Independent || second.Independent || fmt.Sprint(second.Overlap) != fmt.Sprint([]string{both.ID}) {
		t.Errorf("first %+v, second %+v: want the second not independent", first, second)
	}
}
