package journal_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"strata.dev/strata/domain/journal"
)

// What is withheld says how often and when, and nothing of who or what.
func TestWithholdKeepsCountsAndTimesOnly(t *testing.T) {
	first, last := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC)
	diverged := journal.ReadModelDiverged{Model: "plans", Table: "t", Key: "k", Difference: journal.Missing, Position: 7}
	repaired := journal.ReadModelRepaired{Model: "plans", Rows: 1, Position: 7}
	for _, c := range []struct{ entry, want journal.Event }{
		{
			journal.CommandDenied{ActorKind: "person", ActorID: "a", Command: "c", Rule: "S1", Slug: "forbidden", Target: "t", Count: 3, FirstAt: first, LastAt: last},
			journal.CommandDenied{Command: "withheld", Slug: "withheld", Count: 3, FirstAt: first, LastAt: last},
		},
		{journal.SignInFailed{Issuer: "i", Reason: "r", Count: 3, FirstAt: first, LastAt: last}, journal.SignInFailed{Reason: "withheld", Count: 3, FirstAt: first, LastAt: last}},
		{
			journal.AuditRead{ActorKind: "person", ActorID: "a", Query: "q", Target: "t", Range: journal.Range{From: &first, LastPosition: 9}, Rows: 4, Count: 3, FirstAt: first, LastAt: last},
			journal.AuditRead{Query: "withheld", Count: 3, FirstAt: first, LastAt: last},
		},
		{journal.Reminded{Kind: "k", Subject: journal.Subject{Type: "t", ID: "i"}, MemberID: "m", DueAt: &last}, journal.Reminded{Kind: "withheld", Subject: journal.Subject{Type: "withheld", ID: "withheld"}, DueAt: &last}},
		{diverged, diverged},
		{repaired, repaired},
		{
			journal.EpochStarted{Epoch: 2, First: 8, RestoredTo: 7, LostHead: 9, Reason: "r", Operator: "o"},
			journal.EpochStarted{Epoch: 2, First: 8, RestoredTo: 7, LostHead: 9, Reason: "r"},
		},
	} {
		if diff := cmp.Diff(c.want, journal.Withhold(c.entry)); diff != "" {
			t.Errorf("%T (-want +got):\n%s", c.entry, diff)
		}
	}
}

func TestRulesOfSegregation(t *testing.T) {
	if got := strings.Join(journal.SegregationRules(), " "); got != "S1 S2 S3 S4 S5 S6 S7 S8 S9 S10 S11 S12 S13 S14 S15" {
		t.Errorf("rules %s", got)
	}
	for _, rule := range journal.SegregationRules() {
		if !journal.Segregation(rule) {
			t.Errorf("%s is one", rule)
		}
	}
	for _, rule := range []string{"", "S", "role", "Sx", "s1", "S100", "S-1", "S1 "} {
		if journal.Segregation(rule) || journal.OwnWork(rule) {
			t.Errorf("%q is none", rule)
		}
	}
}
