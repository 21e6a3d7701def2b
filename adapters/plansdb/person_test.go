package plansdb

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/internal/readdb/readdbtest"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/evidence"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/severity"
	"strata.dev/strata/domain/source"
	"strata.dev/strata/domain/strategy"
)

// A person has a part in everything; each part is found by each of their
// memberships, and by the subject behind them.
func TestPerson(t *testing.T) {
	f := setup(t, Options{})
	w := readdbtest.NewWorld(f.log, seeded(41))
	s := w.Draft()
	subject, first, second := uuid.New(), uuid.New(), uuid.New()
	admin := fact.Actor{ID: uuid.NewString(), Kind: fact.Person}
	organizationStream := "organization-" + w.ID.String()
	enrol := func(id uuid.UUID) {
		f.log.Record(w.ID, organizationStream, admin, organization.MemberEnrolled{
			MemberID: id.String(), SubjectID: subject.String(), Issuer: "https://issuer.example", Kind: organization.Person,
		}, organization.RoleGranted{MemberID: id.String(), GrantID: uuid.NewString(), Role: "approver", Scope: organization.Scope{All: true}})
	}
	enrol(first)
	leave := organization.RoleRevoked{MemberID: first.String(), Reason: "left", Offboarding: true}
	me := fact.Actor{ID: first.String(), Kind: fact.Person}
	digest := strings.Repeat("ab", 32)
	stream := func(kind string) (string, string) { id := uuid.NewString(); return kind + "-" + id, id }

	strategyStream := "strategy-" + s.ID.String()
	f.log.Record(w.ID, strategyStream, admin, strategy.Submitted{Revision: 1, ContentHash: digest, IndicatorDigest: digest, Authors: []string{admin.ID}})
	f.log.Record(w.ID, strategyStream, me, strategy.ApprovalGiven{Revision: 1, ContentHash: digest, ApproverID: me.ID, Meaning: strategy.Business})
	i := w.Define(s)
	f.log.Record(w.ID, "indicator-"+i.ID.String(), me, indicator.Redefined{Reason: "r", Changes: []indicator.Change{{Field: "ownerId", New: indicator.Text(me.ID)}}})
	findingStream, findingID := stream("finding")
	f.log.Record(w.ID, findingStream, admin, finding.Raised{
		FindingID: findingID, Kind: finding.MajorNC, Severity: severity.High, Title: "Late", Condition: "is", Criteria: "should",
		Subjects: []finding.Subject{{Type: "strategy", ID: s.ID.String()}}, Origin: finding.FromAudit,
	})
	f.log.Record(w.ID, findingStream, me, finding.RiskAccepted{Acceptors: []string{admin.ID, me.ID}, Justification: "j", ExpiresOn: "2027-01-01"})
	sourceStream, sourceID := stream("source")
	f.log.Record(w.ID, sourceStream, admin, source.Registered{SourceID: sourceID, Name: "Feed", StewardID: me.ID, Channel: source.HTTP})
	evidenceStream, evidenceID := stream("evidence")
	f.log.Record(w.ID, evidenceStream, me, evidence.Registered{
		EvidenceID: evidenceID, Kind: evidence.Document, SHA256: digest, SubjectsInside: []string{subject.String()}, CollectedAt: f.log.Now(),
	})
	hold := func(scope organization.HoldScope) string {
		id := uuid.NewString()
		f.log.Record(w.ID, organizationStream, admin, organization.LegalHoldPlaced{HoldID: id, Matter: "Case", Basis: "b", Scope: scope})
		return id
	}
	byStream := hold(organization.HoldScope{Streams: []string{sourceStream}})
	bySubject := hold(organization.HoldScope{Subjects: []string{subject.String()}})
	hold(organization.HoldScope{Streams: []string{"strategy-" + uuid.NewString()}, Subjects: []string{uuid.NewString()}})
	f.catchUp(t, 100)

	ask := func(id uuid.UUID) query.Person {
		t.Helper()
		p, err := f.reader.Person(t.Context(), as(w), id)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := ask(first)
	want := []query.Act{
		{As: "acceptor", Type: "finding", ID: findingID, Name: "Late"},
		{As: "approver", Type: "strategy", ID: s.ID.String(), Name: s.State.Working.Plan.Frame.Name},
		{As: "author", Type: "indicator", ID: i.ID.String(), Name: i.State.Definition.Name},
		{As: "owner", Type: "indicator", ID: i.ID.String(), Name: i.State.Definition.Name},
		{As: "registrar", Type: "evidence", ID: evidenceID},
		{As: "steward", Type: "source", ID: sourceID, Name: "Feed"},
		{As: "subject", Type: "evidence", ID: evidenceID},
	}
	equal(t, "acts", want, p.Acts)
	holds := map[string]string{}
	for _, h := range p.Holds {
		holds[h.ID] = h.Covers
	}
	equal(t, "holds", map[string]string{byStream: "stream", bySubject: "subject"}, holds)
	if r := p.Retention; r.Until != "" || r.Years != 10 || !r.Held || len(p.Enrolments) != 1 || !p.Enrolments[0].Grants[0].Current {
		t.Errorf("a member: %+v", p)
	}

	left := f.log.Now()
	leave.GrantIDs = []string{p.Enrolments[0].Grants[0].ID}
	f.log.Record(w.ID, organizationStream, admin, leave)
	f.catchUp(t, 100)
	p = ask(subject)
	equal(t, "acts by subject", want, p.Acts)
	equal(t, "subjects", []string{subject.String()}, p.SubjectIDs)
	e := p.Enrolments[0]
	if e.OffboardedAt == nil || !e.OffboardedAt.Equal(left) || e.Grants[0].Current || e.Grants[0].RevokedAt == nil {
		t.Errorf("after leaving: %+v", e)
	}
	if r := p.Retention; r.LastAt == nil || !r.LastAt.Equal(left) || r.Until != calendar.Of(left.AddDate(10, 0, 0)) {
		t.Errorf("retention %+v, want ten years from %s", r, left)
	}
	enrol(second)
	f.catchUp(t, 100)
	p = ask(second)
	equal(t, "acts of both", want, p.Acts)
	if len(p.Enrolments) != 2 || p.Enrolments[0].MemberID != first.String() || p.Enrolments[1].MemberID != second.String() || p.Retention.Until != "" {
		t.Errorf("come back: %+v, %+v", p.Enrolments, p.Retention)
	}
	if _, err := f.reader.Person(t.Context(), as(w), uuid.New()); !errors.Is(err, query.ErrNotFound) {
		t.Errorf("nobody: %v, want not-found", err)
	}
}
