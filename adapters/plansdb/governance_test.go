package plansdb

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/internal/readdb/readdbtest"
	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/evidence"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/source"
)

// raised leaves out what was refused.
func raised(w *readdbtest.World) []*readdbtest.Finding {
	return slices.DeleteFunc(slices.Clone(w.Findings), func(f *readdbtest.Finding) bool { return !f.State.Exists() })
}

// compareGovernance holds boards and details against the domain's states.
func (f *fixture) compareGovernance(t failer, w *readdbtest.World) {
	yes, no, soon := true, false, 60
	on := calendar.Of(w.Log.Now()).AddDays(45)
	filters := []query.FindingFilter{
		{On: on},
		{On: on, Overdue: &yes},
		{On: on, Overdue: &no},
		{On: on, ExpiringWithin: &soon},
		{On: on, State: []string{"open", "closed"}},
		{On: on, State: []string{"assigned", "planned", "submitted"}, Severity: []string{"high", "critical"}},
		{On: on, Origin: "breach"},
	}
	all := raised(w)
	if len(all) > 0 {
		s := all[0].State
		filters = append(filters, query.FindingFilter{On: on, OwnerID: s.OwnerID},
			query.FindingFilter{On: on, IndicatorID: s.Subjects[0].ID}, query.FindingFilter{On: on, StrategyID: s.Subjects[0].ID, IndicatorID: s.Subjects[0].ID})
		for _, about := range s.Subjects {
			switch about.Type {
			case "strategy":
				filters = append(filters, query.FindingFilter{On: on, StrategyID: about.ID}, query.FindingFilter{On: on, StrategyID: about.ID, OwnerID: s.OwnerID})
			case "indicator":
				filters = append(filters, query.FindingFilter{On: on, IndicatorID: about.ID}, query.FindingFilter{
					On: on, IndicatorID: about.ID, StrategyID: s.Subjects[0].ID, Origin: string(s.Origin),
				})
			}
		}
	}
	for _, filter := range filters {
		f.compareBoard(t, w, filter)
	}
	for _, x := range all {
		f.compareFinding(t, w, x)
	}
	f.compareEvidence(t, w)
	f.compareSources(t, w)
}

// shows says what a filter lets through, in the domain's words.
func shows(f query.FindingFilter, s finding.State) (scope, line bool) {
	about := func(kind, id string) bool {
		return id == "" || slices.ContainsFunc(s.Subjects, func(x finding.Subject) bool { return x.Type == kind && x.ID == id })
	}
	scope = about("strategy", f.StrategyID) && about("indicator", f.IndicatorID) &&
		(f.Origin == "" || f.Origin == string(s.Origin)) && (f.OwnerID == "" || f.OwnerID == s.OwnerID)
	line = scope && (len(f.State) == 0 || slices.Contains(f.State, string(s.Stage))) &&
		(len(f.Severity) == 0 || slices.Contains(f.Severity, string(s.Severity))) &&
		(f.Overdue == nil || *f.Overdue == s.Overdue(f.On)) &&
		(f.ExpiringWithin == nil || s.Stage == finding.Accepted && s.ExpiresOn <= f.On.AddDays(*f.ExpiringWithin))
	return scope, line
}

func (f *fixture) compareBoard(t failer, w *readdbtest.World, filter query.FindingFilter) {
	var want, got []string
	counts := map[string]int64{}
	for _, x := range raised(w) {
		scope, line := shows(filter, x.State)
		if line {
			want = append(want, x.ID.String())
		}
		if scope {
			counts[fmt.Sprintf("%s %s", x.State.Severity, x.State.Stage)]++
			if x.State.Overdue(filter.On) {
				counts[string(x.State.Severity)+" overdue"]++
			}
		}
	}
	filter.Paging = query.Paging{Limit: 3, Count: true}
	for {
		board, err := f.reader.Findings(t.Context(), as(w), filter)
		if err != nil {
			t.Fatalf("findings %+v: %v", filter, err)
		}
		for _, line := range board.Items {
			got = append(got, line.ID)
		}
		if filter.Cursor == "" {
			found := map[string]int64{}
			for _, c := range board.Counts {
				found[c.Severity+" "+c.State] = c.Findings
				if c.Overdue > 0 {
					found[c.Severity+" overdue"] += c.Overdue
				}
			}
			equal(t, "roll-up", counts, found)
		}
		if int(*board.Total) != len(want) || board.On != filter.On {
			t.Errorf("%d counted on %s, want %d on %s", *board.Total, board.On, len(want), filter.On)
		}
		if filter.Cursor = board.NextCursor; filter.Cursor == "" {
			break
		}
	}
	equal(t, fmt.Sprintf("board of %+v", filter), want, got)
}

func (f *fixture) compareFinding(t failer, w *readdbtest.World, x *readdbtest.Finding) {
	got, err := f.reader.Finding(t.Context(), as(w), x.ID)
	if err != nil {
		t.Fatalf("finding: %v", err)
	}
	s := x.State
	if got.State != string(s.Stage) || got.Kind != string(s.Kind) || got.Severity != string(s.Severity) || got.OwnerID != s.OwnerID ||
		got.DueDate != s.DueDate || got.ExpiresOn != s.ExpiresOn || got.DedupeKey != s.DedupeKey || got.RaisedBy != s.RaisedBy ||
		!got.RaisedAt.Equal(x.RaisedAt) || got.Origin != string(s.Origin) || (got.ClosedAt != nil) != (s.Stage == finding.Ended) {
		t.Errorf("finding %+v, want %+v", got.FindingSummary, s)
	}
	equal(t, "subjects", s.Subjects, got.Subjects)
	if (got.Remediation != nil) && (s.Stage == finding.Open || s.Stage == finding.Owned) ||
		got.Remediation == nil && (s.Stage == finding.Planned || s.Stage == finding.Submitted) {
		t.Errorf("finding in state %s has the plan %+v", s.Stage, got.Remediation)
	}
	steps := map[string]int{}
	for _, e := range f.eventsOf(t, w.ID, "finding-"+x.ID.String()) {
		steps[e.Type]++
	}
	equal(t, "steps", steps, without(map[string]int{
		"finding.raised": 1, "finding.assigned": len(got.Assignments), "finding.reclassified": len(got.Reclassified),
		"finding.remediation-planned": steps["finding.remediation-planned"], "finding.remediation-submitted": len(got.Submissions),
		"finding.risk-accepted": len(got.Acceptances), "finding.returned": len(got.Returns), "finding.closed": len(got.Closures),
	}))
	var linked []string
	for _, e := range w.Evidence {
		for _, l := range e.State.Links {
			if l.Target.ID == x.ID.String() {
				linked = append(linked, e.ID.String()+string(l.Relation))
			}
		}
	}
	var shown []string
	for _, l := range got.Evidence {
		shown = append(shown, l.EvidenceID+l.Relation)
	}
	slices.Sort(linked)
	slices.Sort(shown)
	equal(t, "evidence of a finding", linked, shown)

	about, err := f.reader.FindingsAbout(t.Context(), w.ID, s.Subjects[0].Type, s.Subjects[0].ID, got.Position)
	if err != nil || slices.Contains(about, x.ID) != (s.Stage != finding.Ended) {
		t.Errorf("about its subject are %v, %v; the finding is %s", about, err, s.Stage)
	}
	if s.DedupeKey != "" {
		if same, err := f.reader.FindingsByKey(t.Context(), w.ID, s.DedupeKey, got.Position); err != nil || !slices.Contains(same, x.ID) {
			t.Errorf("of key %q are %v, %v", s.DedupeKey, same, err)
		}
	}
}

func without(steps map[string]int) map[string]int {
	for k, n := range steps {
		if n == 0 {
			delete(steps, k)
		}
	}
	return steps
}

func (f *fixture) eventsOf(t failer, org uuid.UUID, stream string) []eventlog.Event {
	events, err := f.log.ReadStream(t.Context(), org, stream, 0, 0)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return events
}

func (f *fixture) compareEvidence(t failer, w *readdbtest.World) {
	page, err := f.reader.EvidenceList(t.Context(), as(w), query.EvidenceFilter{Paging: query.Paging{Limit: query.MaxLimit}})
	if err != nil || len(page.Items) != len(w.Evidence) {
		t.Fatalf("%d pieces of evidence, %v, want %d", len(page.Items), err, len(w.Evidence))
	}
	for n, e := range w.Evidence {
		got, err := f.reader.Evidence(t.Context(), as(w), e.ID)
		if err != nil {
			t.Fatalf("evidence: %v", err)
		}
		equal(t, "evidence", page.Items[n], got.EvidenceSummary)
		var links []evidence.Link
		for _, l := range got.LinkList {
			links = append(links, evidence.Link{Relation: evidence.Relation(l.Relation), Target: l.Target})
		}
		equal(t, "links", e.State.Links, links)
		if got.Kind != string(e.State.Kind) || got.SHA256 != e.State.SHA256 || got.Size != e.State.Size || got.Links != len(links) {
			t.Errorf("evidence %+v, want %+v", got.EvidenceSummary, e.State)
		}
		for _, l := range links {
			of, err := f.reader.EvidenceList(t.Context(), as(w), query.EvidenceFilter{
				TargetType: l.Target.Type, TargetID: l.Target.ID, Kind: got.Kind, Paging: query.Paging{Limit: query.MaxLimit},
			})
			if err != nil || !slices.ContainsFunc(of.Items, func(s query.EvidenceSummary) bool { return s.ID == got.ID }) {
				t.Errorf("evidence of %+v is %+v, %v", l.Target, of.Items, err)
			}
		}
	}
}

func (f *fixture) compareSources(t failer, w *readdbtest.World) {
	page, err := f.reader.Sources(t.Context(), as(w), query.SourceFilter{})
	if err != nil || len(page.Items) != len(w.Sources) {
		t.Fatalf("%d sources, %v, want %d", len(page.Items), err, len(w.Sources))
	}
	for n, s := range w.Sources {
		got := page.Items[n]
		var allowed []source.Allowed
		for _, a := range got.AllowedIndicators {
			allowed = append(allowed, source.Allowed(a))
		}
		equal(t, "terms", s.State.Terms, source.Terms{
			PublicKey: got.PublicKey, CredentialFingerprint: got.CredentialFingerprint, AllowedIndicators: allowed, MaxRatePerMin: got.MaxRatePerMin,
		})
		if got.ID != s.ID.String() || got.Status != string(s.State.Status) || got.Channel != string(s.State.Channel) || got.StewardID != s.State.StewardID ||
			got.Version != int64(len(f.eventsOf(t, w.ID, "source-"+got.ID))) {
			t.Errorf("source %+v, want %+v", got, s.State)
		}
	}
	f.compareChanges(t, w)
}

// compareChanges goes through the log for what sources sent.
func (f *fixture) compareChanges(t failer, w *readdbtest.World) {
	events, err := f.log.Read(t.Context(), 0, 1_000_000)
	if err != nil {
		t.Fatalf("%v", err)
	}
	want, restated, last := map[string][]string{}, map[string]int64{}, map[string]string{}
	for _, e := range events {
		meta, err := eventlog.DecodeMetadata(e.Metadata)
		if err != nil {
			t.Fatalf("%v", err)
		}
		if e.OrganizationID != w.ID || meta.Origin.SourceID == "" {
			continue
		}
		body, err := eventcodec.Decode(e.Type, e.SchemaVersion, e.Data)
		if err != nil {
			t.Fatalf("%v", err)
		}
		outcome := ""
		switch b := body.(type) {
		case indicator.MeasurementRecorded:
			outcome = query.ChangeAccepted
		case indicator.MeasurementCorrected:
			outcome = query.ChangeCorrected
			restated[meta.Origin.SourceID+" "+b.Period.String()]++
		case source.IngestRejected:
			outcome = query.ChangeRejected
		default:
			continue
		}
		last[meta.Origin.SourceID] = outcome
		for _, list := range []string{"", outcome, meta.Origin.SourceID} {
			want[list] = append(want[list], e.ID.String()+" "+outcome)
		}
	}
	lists := map[string]query.ExternalFilter{"": {}}
	for _, outcome := range []string{query.ChangeAccepted, query.ChangeCorrected, query.ChangeRejected} {
		lists[outcome] = query.ExternalFilter{Outcome: outcome}
	}
	for _, s := range w.Sources {
		lists[s.ID.String()] = query.ExternalFilter{SourceID: s.ID.String()}
		got, err := f.reader.Source(t.Context(), as(w), s.ID)
		if err != nil || (got.LastMessage == nil) != (last[got.ID] == "") || got.LastMessage != nil && got.LastMessage.Outcome != last[got.ID] {
			t.Errorf("source %+v, %v, want last what was %s", got, err, last[got.ID])
		}
	}
	for name, filter := range lists {
		var got []string
		for filter.Limit = 7; ; {
			page, err := f.reader.ExternalChanges(t.Context(), as(w), filter)
			if err != nil {
				t.Fatalf("external changes: %v", err)
			}
			for _, c := range page.Items {
				got = append(got, c.EventID+" "+c.Outcome)
			}
			if name == "" && filter.Cursor == "" {
				found := map[string]int64{}
				for _, r := range page.Restatements {
					found[r.SourceID+" "+r.Period.String()] = r.Corrections
				}
				equal(t, "restatements", restated, found)
			}
			if filter.Cursor = page.NextCursor; filter.Cursor == "" {
				break
			}
		}
		equal(t, "external changes "+name, want[name], got)
	}
}

// Days are whole days in UTC; a closed finding does not grow older.
func TestAgeingOfFindings(t *testing.T) {
	raised := time.Date(2026, 1, 5, 23, 59, 0, 0, time.UTC)
	closed := raised.AddDate(0, 0, 3)
	for _, c := range []struct {
		row      findingRow
		on       calendar.Date
		age, due int
		overdue  bool
		expires  string
	}{
		{findingRow{raisedAt: raised, state: "open"}, "2026-01-05", 0, 0, false, "none"},
		{findingRow{raisedAt: raised, state: "open"}, "2026-01-06", 1, 0, false, "none"},
		{findingRow{raisedAt: raised, state: "planned", dueDate: "2026-01-10"}, "2026-01-10", 5, 0, false, "none"},
		{findingRow{raisedAt: raised, state: "planned", dueDate: "2026-01-10"}, "2026-01-12", 7, 2, true, "none"},
		{findingRow{raisedAt: raised, state: "accepted", dueDate: "2026-01-10", expiresOn: "2026-02-01"}, "2026-01-30", 25, 0, false, "2"},
		{findingRow{raisedAt: raised, state: "accepted", expiresOn: "2026-01-28"}, "2026-01-30", 25, 0, false, "-2"},
		{findingRow{raisedAt: raised, state: "closed", dueDate: "2026-01-10", closedAt: &closed}, "2026-02-01", 3, 0, false, "none"},
	} {
		c.row.id = "f"
		got := c.row.summary(c.on)
		expires := "none"
		if got.ExpiresInDays != nil {
			expires = fmt.Sprint(*got.ExpiresInDays)
		}
		if got.AgeDays != c.age || got.OverdueDays != c.due || got.Overdue != c.overdue || expires != c.expires {
			t.Errorf("%s on %s: age %d, overdue %v %d, expires in %s; want %d, %v %d, %s", c.row.state, c.on, got.AgeDays, got.Overdue,
				got.OverdueDays, expires, c.age, c.overdue, c.due, c.expires)
		}
	}
}
