package organization_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/refusal"
	"strata.dev/strata/domain/sealed"
)

var (
	stranger = id("subject", 9) // named by documents, and no member
	former   = enrolled(4)      // was a member
	left     = organization.RoleRevoked{GrantIDs: []string{}, MemberID: member4, Reason: "left", Offboarding: true}
	plan     = "strategy-" + strategy1  // in which both occur
	file     = strings.Repeat("ab", 32) // a document that names both
	fileKey  = sealed.Document(file)    // its key
	copied   = id("evidence", 1)        // its copy without the name
	request  = id("request", 1)
	erasable = organization.PersonalData{Streams: []string{plan, plan}, KeyIDs: []string{fileKey}, Redacted: []string{copied}}
)

func erase(subject string, change ...func(*organization.ErasePersonalData)) organization.ErasePersonalData {
	c := organization.ErasePersonalData{RequestID: request, SubjectID: subject, Basis: "request under Art. 17 GDPR", Found: erasable, Second: requester}
	for _, f := range change {
		f(&c)
	}
	return c
}

func erasedOf(subject string, kept ...organization.Kept) organization.PersonalDataErased {
	keys := []string{fileKey, subject}
	slices.Sort(keys)
	return organization.PersonalDataErased{
		RequestID: request, SubjectID: subject, Basis: "request under Art. 17 GDPR", KeyIDs: keys,
		RequestedBy: requester.ID, AuthorizedBy: member2, KeptUnder: kept, RedactedEvidenceIDs: []string{copied},
	}
}

func TestErasing(t *testing.T) {
	signedAt := func(at ...time.Time) func(*organization.ErasePersonalData) {
		return func(c *organization.ErasePersonalData) { c.Found.Signed = at }
	}
	hold := func(scope organization.HoldScope) organization.Event {
		return organization.LegalHoldPlaced{HoldID: id("hold", 1), Matter: "m", Basis: "b", Scope: scope}
	}
	released := organization.LegalHoldReleased{HoldID: id("hold", 1), Reason: "r", RequestedBy: requester.ID, AuthorizedBy: member2}
	stale, process := signing, fact.Actor{ID: "erasure", Kind: fact.Process, Roles: []string{authz.ComplianceOfficer}, At: now, AuthAt: now}
	stale.AuthAt = now.Add(-6 * time.Minute)
	keptRecords := organization.Kept{Law: organization.RecordRetention, Until: now.AddDate(10, 0, 0)}
	more := erasable
	more.KeyIDs, more.Redacted = []string{fileKey, sealed.Document(strings.Repeat("cd", 32))}, []string{id("evidence", 2)}
	table := []spec{
		{Name: "somebody a document names", Given: after(), By: signing, When: erase(stranger), Then: []organization.Event{erasedOf(stranger)}},
		{Name: "a former member, whose acts stay", Given: after(former, left), By: signing, When: erase(former.SubjectID), Then: []organization.Event{erasedOf(former.SubjectID, keptRecords)}},
		{Name: "twice is nothing", Given: after(erasedOf(stranger)), By: signing, When: erase(stranger)},
		{Name: "twice is nothing, whoever is held since", Given: after(erasedOf(stranger), hold(organization.HoldScope{Organization: true})), By: signing, When: erase(stranger)},
		{
			Name: "what has come to be known since", Given: after(erasedOf(stranger)), By: signing,
			When: erase(stranger, func(c *organization.ErasePersonalData) { c.Found = more }),
			Then: []organization.Event{organization.PersonalDataErased{
				RequestID: request, SubjectID: stranger, Basis: "request under Art. 17 GDPR", KeyIDs: []string{sealed.Document(strings.Repeat("cd", 32))},
				RequestedBy: requester.ID, AuthorizedBy: member2, RedactedEvidenceIDs: []string{id("evidence", 2)},
			}},
		},
		{Name: "not somebody nobody knows", Given: after(), By: signing, When: erase(stranger, func(c *organization.ErasePersonalData) { c.Found = organization.PersonalData{} }), Refused: organization.ErrNoSubject},
		{Name: "not a member", Given: after(former), By: signing, When: erase(former.SubjectID), Refused: organization.ErrStillEnrolled},
		{Name: "not without a basis", Given: after(), By: signing, When: erase(stranger, func(c *organization.ErasePersonalData) { c.Basis = "" }), Refused: refusal.Invalid},
		{Name: "not by a name", Given: after(), By: signing, When: erase("Ada Lovelace"), Refused: refusal.Invalid},
		{Name: "not with what is no key", Given: after(), By: signing, When: erase(stranger, func(c *organization.ErasePersonalData) { c.Found.KeyIDs = []string{"pseudonyms"} }), Refused: refusal.Invalid},
		{Name: "R13: not under a hold on everything", Given: after(hold(organization.HoldScope{Organization: true})), By: signing, When: erase(stranger), Refused: organization.ErrHeld},
		{Name: "R13: not under a hold on the subject", Given: after(hold(organization.HoldScope{Subjects: []string{stranger}})), By: signing, When: erase(stranger), Refused: organization.ErrHeld},
		{Name: "R13: not under a hold on where they occur", Given: after(hold(organization.HoldScope{Streams: []string{plan}})), By: signing, When: erase(stranger), Refused: organization.ErrHeld},
		{Name: "under a hold on others", Given: after(hold(organization.HoldScope{Streams: []string{"strategy-" + strategy2}, Subjects: []string{id("subject", 3)}})), By: signing, When: erase(stranger), Then: []organization.Event{erasedOf(stranger)}},
		{Name: "once the hold is released", Given: after(hold(organization.HoldScope{Organization: true}), released), By: signing, When: erase(stranger), Then: []organization.Event{erasedOf(stranger)}},
		{Name: "R12: not whose signature is kept", Given: after(former, left), By: signing, When: erase(former.SubjectID, signedAt(now.AddDate(-20, 0, 0), now.AddDate(-9, 0, 0))), Refused: organization.ErrRetained},
		{Name: "R12: not on the last day", Given: after(former, left), By: signing, When: erase(former.SubjectID, signedAt(now.AddDate(-10, 0, 0).Add(time.Second))), Refused: organization.ErrRetained},
		{Name: "whose signatures are old", Given: after(former, left), By: signing, When: erase(former.SubjectID, signedAt(now.AddDate(-10, 0, 0))), Then: []organization.Event{erasedOf(former.SubjectID, keptRecords)}},
		{Name: "not what cannot be copied", Given: after(), By: signing, When: erase(stranger, func(c *organization.ErasePersonalData) { c.Found.NoCopy = []string{file} }), Refused: organization.ErrNoCopy},
		{Name: "what cannot be copied, if they say so", Given: after(), By: signing, When: erase(stranger, func(c *organization.ErasePersonalData) { c.Found.NoCopy, c.WithoutCopy = []string{file}, true }), Then: []organization.Event{erasedOf(stranger)}},
		{Name: "S11: not with an old sign-in", Given: after(), By: stale, When: erase(stranger), Refused: authz.ErrNotSigned},
		{Name: "S12: not by a process", Given: after(), By: process, When: erase(stranger), Refused: authz.ErrRole},
		{Name: "not by an administrator", Given: after(), By: admin, When: erase(stranger), Refused: authz.ErrRole},
	}
	for name, second := range notSecond {
		table = append(table, spec{Name: "S8: not with " + name, Given: after(), By: signing, When: erase(stranger, func(c *organization.ErasePersonalData) { c.Second = second }), Refused: organization.ErrDualControl})
	}
	decider.Run(t, table)
}

// A refusal says what to wait for, or what to do about it.
func TestWhatKeepsPersonalData(t *testing.T) {
	held := after(organization.LegalHoldPlaced{HoldID: id("hold", 7), Matter: "m", Basis: "b", Scope: organization.HoldScope{Organization: true}})
	signed := erase(former.SubjectID)
	signed.Found.Signed = []time.Time{now.AddDate(-1, 0, 0), now.AddDate(-5, 0, 0)}
	uncopied := erase(stranger)
	for n := range 30 {
		uncopied.Found.NoCopy = append(uncopied.Found.NoCopy, strings.Repeat("ab", 31)+string(rune('a'+n/10))+string(rune('0'+n%10)))
	}
	for _, c := range []struct {
		given []past
		when  organization.Command
		extra string
		is    func(any) bool
	}{
		{held, erase(stranger), "holdId", func(v any) bool { return v == id("hold", 7) }},
		{after(former, left), signed, "until", func(v any) bool { return v == "2035-03-01T12:00:00Z" }},
		{after(), uncopied, "documents", func(v any) bool { l, ok := v.([]string); return ok && len(l) == 20 }},
	} {
		_, err := organization.Decide(decider.Fold(c.given), signing, c.when)
		if f, ok := errors.AsType[*fault.Fault](err); !ok || !c.is(f.Extra[c.extra]) || f.Detail == "" {
			t.Errorf("refused with %v, want %s", err, c.extra)
		}
	}
}

// The longest retention counts for every signature by itself: the oldest may be kept longest.
func TestRetentionOfSignatures(t *testing.T) {
	by := admin
	by.At = now.AddDate(-20, 0, 0)
	long := past{By: by, Event: organization.GovernancePolicySet{Policy: policy(func(p *organization.Policy) { p.RetentionYears = 100 })}}
	by.At = now.AddDate(-15, 0, 0)
	short := past{By: by, Event: organization.GovernancePolicySet{Policy: policy(func(p *organization.Policy) { p.RetentionYears = 1 })}}
	s := decider.Fold(append(after(former, left), long, short))
	c := erase(former.SubjectID)
	c.Found.Signed = []time.Time{now.AddDate(-2, 0, 0)}
	if _, err := organization.Decide(s, signing, c); err != nil {
		t.Errorf("what was signed under the short retention is kept: %v", err)
	}
	c.Found.Signed = append(c.Found.Signed, now.AddDate(-16, 0, 0))
	if _, err := organization.Decide(s, signing, c); !errors.Is(err, organization.ErrRetained) {
		t.Errorf("what was signed under the long retention is not kept: %v", err)
	}
}
