package plansdb

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/internal/readdb/readdbtest"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/severity"
)

// What a finding's detail says step by step.
func TestFindingStepByStep(t *testing.T) {
	f := setup(t, Options{})
	w := readdbtest.NewWorld(f.log, seeded(42))
	owner, auditor, process := fact.Actor{ID: "owner", Kind: fact.Person}, fact.Actor{ID: "auditor", Kind: fact.Person}, fact.Actor{ID: "breach", Kind: fact.Process}
	id := uuid.New()
	record := func(by fact.Actor, e any) { f.log.Record(w.ID, "finding-"+id.String(), by, e) }
	read := func() query.FindingDetail {
		t.Helper()
		f.catchUp(t, 100)
		d, err := f.reader.Finding(t.Context(), as(w), id)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	record(process, finding.Raised{
		FindingID: id.String(), Kind: finding.Exception, Severity: severity.High, Title: "t", Condition: "c", Criteria: "k", Cause: "why",
		Subjects: []finding.Subject{{Type: "indicator", ID: uuid.NewString()}}, Origin: finding.FromBreach, DedupeKey: strings.Repeat("k", 3_000),
	})
	record(auditor, finding.Assigned{OwnerID: "owner", DueDate: "2026-03-01"})
	plan := finding.RemediationPlanned{Response: finding.Agree, OldDueDate: "2026-03-01", DueDate: "2026-04-01", Reason: "r", Actions: []finding.Action{
		{ID: "a", Text: "first", DueDate: "2026-03-10", OwnerID: "owner"}, {ID: "b", Text: "then", DueDate: "2026-03-20", OwnerID: "other"},
	}}
	record(owner, plan)
	record(owner, plan)
	record(owner, finding.RemediationSubmitted{ActionsDone: []string{"b"}, Statement: "done", EvidenceIDs: []string{"e"}})
	d := read()
	r := d.Remediation
	if r == nil || r.Changes != 1 || r.Response != "agree" || r.Actions[0].Done || !r.Actions[1].Done || d.DueDate != "2026-04-01" || d.State != "submitted" {
		t.Errorf("submitted: %+v with plan %+v", d.FindingSummary, r)
	}
	if got := d.Submissions[0]; got.Statement != "done" || got.By != "owner" || !slices.Equal(got.EvidenceIDs, []string{"e"}) {
		t.Errorf("submission %+v", got)
	}
	closedAt := f.log.Now()
	record(auditor, finding.Closed{Resolution: finding.Remediated, EffectivenessCheck: "seen", VerifierID: "auditor"})
	if d = read(); d.State != "closed" || d.ClosedAt == nil || !d.ClosedAt.Equal(closedAt) || d.Resolution != "remediated" || d.Closures[0].VerifierID != "auditor" {
		t.Errorf("closed: %+v, %+v", d.FindingSummary, d.Closures)
	}
	if ids, err := f.reader.FindingsByKey(t.Context(), w.ID, strings.Repeat("k", 3_000), 0); err != nil || !slices.Equal(ids, []uuid.UUID{id}) {
		t.Errorf("by a long key: %v, %v, want the closed one, too", ids, err)
	}
	record(auditor, finding.ReturnedToWork{Reason: finding.Ineffective, Comments: "again"})
	if d = read(); d.State != "assigned" || d.ClosedAt != nil || d.Resolution != "" || d.Remediation != nil || d.Returns[0].Comments != "again" || len(d.Closures) != 1 {
		t.Errorf("reopened: %+v, %+v", d.FindingSummary, d)
	}
	for range query.MaxSteps + 5 {
		record(owner, plan)
		record(owner, finding.RemediationSubmitted{ActionsDone: []string{"a"}, Statement: "again", EvidenceIDs: []string{"e"}})
		record(auditor, finding.ReturnedToWork{Reason: finding.Insufficient, Comments: "no"})
	}
	if d = read(); len(d.Submissions) != query.MaxSteps || len(d.Returns) != query.MaxSteps || d.Submissions[0].Statement != "again" {
		t.Errorf("%d submissions and %d returns are shown, want the latest %d", len(d.Submissions), len(d.Returns), query.MaxSteps)
	}

	// What cannot be applied holds up whoever has to know all findings.
	f.log.Record(w.ID, "finding-"+uuid.NewString(), owner, finding.Closed{Resolution: finding.Dismissed, VerifierID: "x"})
	f.catchUp(t, 100)
	for what, ask := range map[string]func() error{
		"about": func() error {
			_, err := f.reader.FindingsAbout(t.Context(), w.ID, "indicator", d.Subjects[0].ID, 0)
			return err
		},
		"by key":   func() error { _, err := f.reader.FindingsByKey(t.Context(), w.ID, "k", 0); return err },
		"by owner": func() error { _, err := f.reader.FindingsOwnedBy(t.Context(), w.ID, "owner", 0); return err },
	} {
		if err := ask(); !errors.Is(err, query.ErrIncomplete) {
			t.Errorf("findings %s, with one parked: %v, want projection-incomplete", what, err)
		}
	}
}
