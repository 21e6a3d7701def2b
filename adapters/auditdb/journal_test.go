package auditdb

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/journal"
)

var recorder = fact.Actor{ID: "journal", Kind: fact.Process}

// journals writes n random entries into the journals of two organizations.
func (f *fixture) journals(t *testing.T, n int) {
	t.Helper()
	r := rand.New(rand.NewPCG(5, uint64(n)))
	at := func() time.Time { return time.Date(2026, 1, 1, 0, 0, r.IntN(100_000), 0, time.UTC) }
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	actors := []string{"a", "b", "c", "d"}
	for range n {
		w := f.worlds[r.IntN(2)]
		if r.IntN(4) == 0 {
			w.Step()
		}
		first, count := at(), 1+r.IntN(30)
		last := first.Add(time.Duration(r.IntN(60)) * time.Second)
		var e any
		switch r.IntN(8) {
		case 0:
			e = journal.SignInFailed{Reason: pick("expired", "no-token"), Count: count, FirstAt: first, LastAt: last}
		case 1:
			e = journal.AuditRead{ActorKind: "person", ActorID: pick(actors...), Query: "listActivity", Rows: count, Count: 2, FirstAt: first, LastAt: last}
		case 2:
			e = journal.Reminded{Kind: "overdue", Subject: journal.Subject{Type: "finding", ID: "f"}, MemberID: pick(actors...)}
		case 3:
			e = journal.ReadModelDiverged{Model: "plans", Table: "members", Key: "k", Difference: journal.Missing, Position: 3}
		case 4:
			e = journal.ReadModelRepaired{Model: "plans", Rows: 1, Position: 3}
		default:
			e = journal.CommandDenied{
				ActorKind: pick("person", "source"), ActorID: pick(actors...), Command: pick("approve-strategy", "add-goal", "grant-role"),
				Rule: pick("S1", "S1", "S5", "S10", "role", "membership", "S2"), Slug: "forbidden",
				Target: fmt.Sprintf("strategy-%d", r.IntN(20)), Count: count, FirstAt: first, LastAt: last,
			}
		}
		f.log.Record(w.ID, "journal-"+w.ID.String(), recorder, e)
	}
	f.reread(t)
}

func (f *fixture) reread(t *testing.T) {
	t.Helper()
	var err error
	if f.events, err = f.log.Read(t.Context(), 0, 1_000_000); err != nil {
		t.Fatal(err)
	}
}

func decoded(t *testing.T, e eventlog.Event) any {
	t.Helper()
	body, err := eventcodec.Decode(e.Type, e.SchemaVersion, e.Data)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// A page of the journal holds the entries of the log that fit, in order, each once.
func TestJournalIsThatOfTheLog(t *testing.T) {
	checkLeaks(t)
	f := setup(t, 60, Options{})
	f.journals(t, 400)
	f.apply(t)
	w := f.worlds[0]
	mine := f.of(w)
	from, to := mine[len(mine)/3].RecordedAt, mine[2*len(mine)/3].RecordedAt
	for _, filter := range []query.JournalFilter{
		{},
		{Kind: query.JournalCommandDenied},
		{Kind: query.JournalSignInFailed},
		{ActorID: "b"},
		{Rule: "S1"},
		{Rule: "S1", ActorID: "c"},
		{Rule: "role", Kind: query.JournalCommandDenied, ActorID: "a"},
		{Rule: "S1", Kind: query.JournalAuditRead},
		{From: from},
		{From: from, To: to, Kind: query.JournalReminded},
		{ActorID: "nobody"},
	} {
		t.Run(fmt.Sprintf("%+v", filter), func(t *testing.T) {
			var want []string
			for _, e := range mine {
				if !strings.HasPrefix(e.StreamID, "journal-") {
					continue
				}
				var actor, rule string
				switch b := decoded(t, e).(type) {
				case journal.CommandDenied:
					actor, rule = b.ActorID, b.Rule
				case journal.AuditRead:
					actor = b.ActorID
				case journal.Reminded:
					actor = b.MemberID
				}
				if (filter.Kind == "" || e.Type == "journal."+filter.Kind) && (filter.ActorID == "" || actor == filter.ActorID) &&
					(filter.Rule == "" || rule == filter.Rule) && !e.RecordedAt.Before(filter.From) && (filter.To.IsZero() || e.RecordedAt.Before(filter.To)) {
					want = append(want, fmt.Sprintf("%d %s %s %s", e.Position, e.Type, actor, rule))
				}
			}
			filter.Limit, filter.Count = 7, true
			var got []string
			for {
				page, err := f.reader.Journal(t.Context(), query.Read{OrganizationID: w.ID}, filter)
				if err != nil {
					t.Fatal(err)
				}
				if *page.Total != int64(len(want)) || page.Position != int64(len(f.events)) {
					t.Errorf("total %d at %d, want %d at %d", *page.Total, page.Position, len(want), len(f.events))
				}
				for _, e := range page.Items {
					got = append(got, fmt.Sprintf("%d journal.%s %s %s", e.Position, e.Kind, e.ActorID, e.Rule))
				}
				if filter.Cursor = page.NextCursor; filter.Cursor == "" {
					break
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for what, filter := range map[string]query.JournalFilter{
		"kind": {Kind: "x"}, "NUL": {ActorID: "\x00"}, "rule": {Rule: strings.Repeat("r", 201)}, "limit": {Paging: query.Paging{Limit: 201}},
	} {
		if _, err := f.reader.Journal(t.Context(), query.Read{OrganizationID: w.ID}, filter); !errors.Is(err, query.ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// An entry says what its event says.
func TestJournalEntries(t *testing.T) {
	checkLeaks(t)
	f := setup(t, 0, Options{})
	w := f.worlds[0]
	first, last := time.Date(2026, 1, 2, 0, 0, 0, 5000, time.UTC), time.Date(2026, 1, 2, 1, 0, 0, 0, time.UTC)
	f.log.Record(w.ID, "journal-"+w.ID.String(), recorder,
		journal.CommandDenied{ActorKind: "person", ActorID: "a", Command: "approve-strategy", Rule: "S1", Slug: "forbidden", Target: "strategy-x", Count: 7, FirstAt: first, LastAt: last},
		journal.AuditRead{ActorKind: "person", ActorID: "b", Query: "getEvent", Target: "event-y", Rows: 3, Count: 2, FirstAt: first, LastAt: last},
		journal.Reminded{Kind: "finding-overdue", Subject: journal.Subject{Type: "finding", ID: "z"}, MemberID: "c"},
	)
	f.log.Append(w.ID, "journal-"+w.ID.String(), recorder, "journal.from-the-future", 1, []byte(`{"actorId":"d","rule":"S99"}`))
	f.reread(t)
	f.apply(t)
	page, err := f.reader.Journal(t.Context(), query.Read{OrganizationID: w.ID}, query.JournalFilter{})
	if err != nil {
		t.Fatal(err)
	}
	tail := f.events[len(f.events)-4:]
	want := []query.JournalEntry{
		{Kind: "command-denied", ActorKind: "person", ActorID: "a", What: "approve-strategy", Rule: "S1", Target: "strategy-x", Count: 7, FirstAt: first, LastAt: last},
		{Kind: "audit-read", ActorKind: "person", ActorID: "b", What: "getEvent", Target: "event-y", Rows: 3, Count: 2, FirstAt: first, LastAt: last},
		{Kind: "reminded", ActorID: "c", What: "finding-overdue", Target: "finding-z", Count: 1, FirstAt: tail[2].RecordedAt, LastAt: tail[2].RecordedAt},
		{Kind: "from-the-future", Rule: "S99", Count: 1, FirstAt: tail[3].RecordedAt, LastAt: tail[3].RecordedAt},
	}
	for i := range want {
		want[i].Position, want[i].ID, want[i].RecordedAt, want[i].Data = tail[i].Position, tail[i].ID.String(), tail[i].RecordedAt, tail[i].Data
	}
	if diff := cmp.Diff(want, page.Items); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// No question about the journal walks the log.
func TestJournalHasNoPlanButIndexes(t *testing.T) {
	checkLeaks(t)
	f := setup(t, 100, Options{})
	f.journals(t, 300)
	f.apply(t)
	ask := query.Read{OrganizationID: f.worlds[0].ID}
	for name, filter := range map[string]query.JournalFilter{
		"all": {}, "kind": {Kind: query.JournalAuditRead}, "actor": {ActorID: "a"}, "rule": {Rule: "S1"}, "rule and actor": {Rule: "S1", ActorID: "a"},
	} {
		plan, err := f.reader.explainJournal(t.Context(), ask, filter)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(plan, "Seq Scan") || strings.Contains(plan, "Sort Key: events") || strings.Contains(plan, "Bitmap") {
			t.Errorf("%s:\n%s", name, plan)
		}
	}
}

var segregating = regexp.MustCompile(`^S([1-9]|1[0-5])$`)

// near adds up refusals as the report does, from the log.
func (f *fixture) near(t *testing.T, organization uuid.UUID, from, to time.Time) map[string]query.NearMiss {
	t.Helper()
	sums := map[string]query.NearMiss{}
	for _, e := range f.events {
		b, ok := decoded(t, e).(journal.CommandDenied)
		if !ok || e.OrganizationID != organization || !segregating.MatchString(b.Rule) || e.RecordedAt.Before(from) || !to.IsZero() && !e.RecordedAt.Before(to) {
			continue
		}
		key := strings.Join([]string{b.Rule, b.ActorKind, b.ActorID, b.Command}, " ")
		m, ok := sums[key]
		if !ok {
			m = query.NearMiss{Rule: b.Rule, ActorKind: b.ActorKind, ActorID: b.ActorID, Command: b.Command, FirstAt: b.FirstAt, LastAt: b.LastAt}
		}
		m.Count += b.Count
		if b.FirstAt.Before(m.FirstAt) {
			m.FirstAt = b.FirstAt
		}
		if b.LastAt.After(m.LastAt) {
			m.LastAt = b.LastAt
		}
		if len(m.Targets) < 10 && !slices.Contains(m.Targets, b.Target) {
			m.Targets = append(m.Targets, b.Target)
		}
		sums[key] = m
	}
	return sums
}

func TestNearMissesAreThoseOfTheLog(t *testing.T) {
	checkLeaks(t)
	f := setup(t, 60, Options{})
	f.journals(t, 400)
	f.apply(t)
	w := f.worlds[0]
	mine := f.of(w)
	for _, filter := range []query.SegregationFilter{{}, {From: mine[len(mine)/3].RecordedAt, To: mine[2*len(mine)/3].RecordedAt}} {
		got, err := f.reader.Segregation(t.Context(), query.Read{OrganizationID: w.ID}, filter)
		if err != nil {
			t.Fatal(err)
		}
		want := f.near(t, w.ID, filter.From, filter.To)
		sums, own := map[string]query.NearMiss{}, 0
		for i, m := range got.NearMisses {
			sums[strings.Join([]string{m.Rule, m.ActorKind, m.ActorID, m.Command}, " ")] = m
			if i > 0 && m.Count > got.NearMisses[i-1].Count {
				t.Errorf("%d refusals come behind %d", m.Count, got.NearMisses[i-1].Count)
			}
			if slices.Contains([]string{"S1", "S3", "S5", "S6", "S7", "S10"}, m.Rule) {
				own++
				if !slices.ContainsFunc(got.SelfApprovals, func(s query.NearMiss) bool { return cmp.Equal(s, m) }) {
					t.Errorf("no attempt on one's own work: %+v", m)
				}
			}
		}
		if diff := cmp.Diff(want, sums); diff != "" || len(sums) < 5 {
			t.Errorf("%d (-want +got):\n%s", len(sums), diff)
		}
		if len(got.SelfApprovals) != own || got.Position != int64(len(f.events)) || got.Omitted != (query.SegregationOmitted{}) {
			t.Errorf("%d attempts on one's own work, want %d; at %d, omitted %+v", len(got.SelfApprovals), own, got.Position, got.Omitted)
		}
	}
	if _, err := f.reader.Segregation(t.Context(), query.Read{OrganizationID: w.ID}, query.SegregationFilter{DormantDays: -1}); !errors.Is(err, query.ErrInvalid) {
		t.Errorf("negative days: %v", err)
	}
}
