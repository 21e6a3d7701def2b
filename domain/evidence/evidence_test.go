package evidence_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/evidence"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/internal/decidertest"
	"strata.dev/strata/domain/refusal"
	"strata.dev/strata/domain/sealed"
)

var decider = decidertest.Decider[evidence.State, evidence.Command, evidence.Event]{Decide: evidence.Decide, Apply: evidence.State.Apply}

type (
	past = decidertest.Past[evidence.Event]
	spec = decidertest.Case[evidence.Command, evidence.Event]
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// id makes a valid id that says what it is.
func id(kind string, n int) string { return fmt.Sprintf("%08x-0000-7000-8000-%012d", kind[0], n) }

var (
	subject  = id("evidence", 1)
	original = id("evidence", 2)
	hash     = strings.Repeat("0a", 32)
	auditor  = fact.Actor{ID: id("member", 1), Kind: fact.Person, Roles: []string{authz.Auditor}, At: now}
	viewer   = fact.Actor{ID: id("member", 2), Kind: fact.Person, Roles: []string{authz.Viewer}, At: now}
	process  = fact.Actor{ID: "import", Kind: fact.Process, At: now}

	register = evidence.RegisterEvidence{
		EvidenceID: subject, Kind: evidence.Document, SHA256: hash, Size: 4096, MediaType: "application/pdf", StorageRef: "blob/7",
	}
	registered = evidence.Registered{
		EvidenceID: subject, Kind: evidence.Document, SHA256: hash, Size: 4096, MediaType: "application/pdf", StorageRef: "blob/7", CollectedAt: now,
	}
)

func given(events ...evidence.Event) []past {
	all := []past{{By: auditor, Event: registered}}
	for _, e := range events {
		all = append(all, past{By: auditor, Event: e})
	}
	return all
}

func TestRegistering(t *testing.T) {
	with := func(change func(*evidence.RegisterEvidence)) evidence.RegisterEvidence {
		c := register
		change(&c)
		return c
	}
	zoned := time.Date(2026, 1, 2, 3, 4, 5, 6_007_008, time.FixedZone("x", 3600))
	stored := time.Date(2026, 1, 2, 2, 4, 5, 6_007_000, time.UTC)
	full := registered
	full.FileName, full.SubjectsInside, full.CollectedAt = sealed.Text(id("subject", 1), make([]byte, sealed.MinCipherBytes)), []string{id("subject", 1)}, stored
	tomorrow := now.AddDate(0, 0, 1)
	decider.Run(t, []spec{
		{Name: "what was collected now", By: auditor, When: register, Then: []evidence.Event{registered}},
		{
			Name: "by a process, in full", By: process,
			When: with(func(c *evidence.RegisterEvidence) {
				c.FileName, c.SubjectsInside, c.CollectedAt = sealed.Text(id("subject", 1), make([]byte, sealed.MinCipherBytes)), []string{id("subject", 1)}, &zoned
			}), Then: []evidence.Event{full},
		},
		{Name: "no bytes at all", By: auditor, When: with(func(c *evidence.RegisterEvidence) { c.Size = 0 }), Then: []evidence.Event{func() evidence.Event { e := registered; e.Size = 0; return e }()}},
		{Name: "not twice", Given: given(), By: auditor, When: register, Refused: evidence.ErrRegistered},
		{Name: "not other bytes under its id", Given: given(), By: auditor, When: with(func(c *evidence.RegisterEvidence) { c.SHA256 = strings.Repeat("1b", 32) }), Refused: evidence.ErrRegistered},
		{Name: "not without a hash", By: auditor, When: with(func(c *evidence.RegisterEvidence) { c.SHA256 = "x" }), Refused: refusal.Invalid},
		{Name: "not of a negative size", By: auditor, When: with(func(c *evidence.RegisterEvidence) { c.Size = -1 }), Refused: refusal.Invalid},
		{Name: "not under a name in clear", By: auditor, When: with(func(c *evidence.RegisterEvidence) { c.FileName = "Ada Lovelace.pdf" }), Refused: refusal.Invalid},
		{Name: "not of an unknown kind", By: auditor, When: with(func(c *evidence.RegisterEvidence) { c.Kind = "rumour" }), Refused: refusal.Invalid},
		{Name: "not without a media type", By: auditor, When: with(func(c *evidence.RegisterEvidence) { c.MediaType = "pdf" }), Refused: refusal.Invalid},
		{Name: "not stored nowhere", By: auditor, When: with(func(c *evidence.RegisterEvidence) { c.StorageRef = "" }), Refused: refusal.Invalid},
		{Name: "not about a name", By: auditor, When: with(func(c *evidence.RegisterEvidence) { c.SubjectsInside = []string{"Ada"} }), Refused: refusal.Invalid},
		{Name: "not of tomorrow", By: auditor, When: with(func(c *evidence.RegisterEvidence) { c.CollectedAt = &tomorrow }), Refused: refusal.Invalid},
		{Name: "not by a viewer", By: viewer, When: register, Refused: authz.ErrRole},
		{Name: "not by a source", By: fact.Actor{ID: "s", Kind: fact.Source, At: now}, When: register, Refused: authz.ErrRole},
	})
}

func TestLinking(t *testing.T) {
	finding := evidence.Target{Type: "finding", ID: id("finding", 1)}
	revision := evidence.Target{Type: "strategy", ID: id("strategy", 1), Revision: 2, EventID: id("event", 1)}
	link := func(r evidence.Relation, to evidence.Target) evidence.LinkEvidence {
		return evidence.LinkEvidence{Relation: r, Target: to}
	}
	linked := func(r evidence.Relation, to evidence.Target) evidence.Event {
		return evidence.Linked{Relation: r, Target: to}
	}
	copied := evidence.Target{Type: "evidence", ID: original}
	unknown := link(evidence.Supports, finding)
	unknown.TargetUnknown = true
	var full []evidence.Event
	for n := range evidence.MaxLinks {
		full = append(full, linked(evidence.Supports, evidence.Target{Type: "finding", ID: id("finding", n+10)}))
	}
	decider.Run(t, []spec{
		{Name: "to a finding", Given: given(), By: auditor, When: link(evidence.Remediates, finding), Then: []evidence.Event{linked(evidence.Remediates, finding)}},
		{Name: "to an event of a revision", Given: given(), By: auditor, When: link(evidence.Attests, revision), Then: []evidence.Event{linked(evidence.Attests, revision)}},
		{Name: "to what it redacts", Given: given(), By: process, When: link(evidence.Redacts, copied), Then: []evidence.Event{linked(evidence.Redacts, copied)}},
		{Name: "in another way, too", Given: given(linked(evidence.Supports, finding)), By: auditor, When: link(evidence.Remediates, finding), Then: []evidence.Event{linked(evidence.Remediates, finding)}},
		{Name: "not in the same way twice", Given: given(linked(evidence.Supports, finding)), By: auditor, When: link(evidence.Supports, finding), Refused: evidence.ErrLinked},
		{Name: "not to itself", Given: given(), By: auditor, When: link(evidence.Supersedes, evidence.Target{Type: "evidence", ID: subject}), Refused: evidence.ErrItself},
		{Name: "no finding is superseded", Given: given(), By: auditor, When: link(evidence.Supersedes, finding), Refused: refusal.Invalid},
		{Name: "not to what is not there", Given: given(), By: auditor, When: unknown, Refused: evidence.ErrTarget},
		{Name: "not somehow", Given: given(), By: auditor, When: link("", finding), Refused: refusal.Invalid},
		{Name: "not to a person", Given: given(), By: auditor, When: link(evidence.Supports, evidence.Target{Type: "person", ID: subject}), Refused: refusal.Invalid},
		{Name: "not to a revision of a finding", Given: given(), By: auditor, When: link(evidence.Supports, evidence.Target{Type: "finding", ID: finding.ID, Revision: 1}), Refused: refusal.Invalid},
		{Name: "not without end", Given: given(full...), By: auditor, When: link(evidence.Supports, finding), Refused: evidence.ErrTooMany},
		{Name: "not what was never registered", By: auditor, When: link(evidence.Supports, finding), Refused: evidence.ErrNotRegistered},
		{Name: "not by a viewer", Given: given(), By: viewer, When: link(evidence.Supports, finding), Refused: authz.ErrRole},
	})
}

// Whatever is asked, the bytes stay the ones that were registered, and links are only added.
func TestEvidenceNeverChanges(t *testing.T) {
	accepted := 0
	rapid.Check(t, func(t *rapid.T) {
		var s evidence.State
		for range 30 {
			by := rapid.SampledFrom([]fact.Actor{auditor, process, viewer, {}}).Draw(t, "by")
			var c evidence.Command
			if rapid.Bool().Draw(t, "register") {
				r := register
				r.SHA256 = rapid.SampledFrom([]string{hash, strings.Repeat("1b", 32), ""}).Draw(t, "hash")
				c = r
			} else {
				c = evidence.LinkEvidence{
					Relation: rapid.SampledFrom([]evidence.Relation{evidence.Supports, evidence.Redacts, "x"}).Draw(t, "relation"),
					Target: evidence.Target{
						Type: rapid.SampledFrom([]string{"evidence", "finding", "x"}).Draw(t, "type"),
						ID:   rapid.SampledFrom([]string{subject, original, id("finding", 1), ""}).Draw(t, "id"),
					},
				}
			}
			events, err := evidence.Decide(s, by, c)
			again, errAgain := evidence.Decide(s, by, c)
			if diff := cmp.Diff(events, again); diff != "" || fmt.Sprint(err) != fmt.Sprint(errAgain) {
				t.Fatalf("deciding twice differs: %s %v %v", diff, err, errAgain)
			}
			if err != nil {
				var f *fault.Fault
				if !errors.As(err, &f) || f.Rule == "" || f.Detail == "" || len(events) > 0 {
					t.Fatalf("%T is refused by %v with %d events", c, err, len(events))
				}
				continue
			}
			for _, e := range events {
				before := s
				s = s.Apply(by, e)
				accepted++
				if before.Exists() && (s.SHA256 != before.SHA256 || s.ID != before.ID || len(s.Links) != len(before.Links)+1 || !slices.Equal(s.Links[:len(before.Links)], before.Links)) {
					t.Fatalf("%+v made %+v of %+v", e, s, before)
				}
			}
		}
	})
	if accepted < 50 {
		t.Errorf("only %d commands were accepted: the test shows little", accepted)
	}
}
