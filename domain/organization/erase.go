package organization

import (
	"fmt"
	"slices"
	"time"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/internal/check"
	"strata.dev/strata/domain/sealed"
)

// Limits of one erasure.
const (
	maxErasedKeys   = 1_000 // keys, and redacted copies, of one erasure
	maxListedInFull = 20    // documents named in a refusal
)

// RecordRetention is what PersonalDataErased.KeptUnder says of the records of
// what somebody did: under an opaque id, without a name, for as long as the
// organization keeps records (R12).
const RecordRetention = "record-retention"

// PersonalData is what the log has of a subject, as whoever gives the command
// found it there.
type PersonalData struct {
	Streams  []string    // in which the subject occurs; none = nobody knows the subject
	Signed   []time.Time // when the subject signed or countersigned something
	KeyIDs   []string    // of documents that name the subject; their own is always meant
	Redacted []string    // evidence: copies of such documents without the name
	NoCopy   []string    // SHA-256 of such documents of which no copy can be made
}

// erasure is what is remembered of the erasure of a subject.
type erasure struct {
	keyIDs []string // of all requests; never changed in place
}

// Erased says whether a subject's personal data was erased, and which keys of it
// were destroyed.
func (s State) Erased(subjectID string) (keyIDs []string, erased bool) {
	e, ok := s.erased.Get(subjectID)
	return slices.Clone(e.keyIDs), ok
}

// MembersOf gives the members, past and present, that a subject is, in the order
// of their ids.
func (s State) MembersOf(subjectID string) []Member {
	var all []Member
	for _, m := range s.members.All() {
		if m.SubjectID == subjectID {
			all = append(all, m)
		}
	}
	return all
}

// erase holds S8, R12 and R13: two compliance officers, nothing under a legal
// hold, nobody whose name a signature needs. What was erased before is not
// erased again: that is no event and no refusal, unless there is more of it now.
func (s State) erase(by fact.Actor, c ErasePersonalData) ([]Event, error) {
	if err := authz.Check(by, authz.ErasePersonalData); err != nil {
		return nil, err
	}
	var f check.Form
	f.ID("#/requestId", c.RequestID)
	f.ID("#/subjectId", c.SubjectID)
	f.Name("#/basis", c.Basis)
	found := c.Found
	found.KeyIDs = append(slices.Clip(found.KeyIDs), c.SubjectID)
	found = found.normal()
	if n := max(len(found.KeyIDs), len(found.Redacted)); n > maxErasedKeys {
		f.Object("#/subjectId", "maxItems", "At most %d documents are dealt with at once, not %d.", maxErasedKeys, n)
	}
	for i, id := range found.Redacted {
		f.ID(fmt.Sprintf("#/redacted/%d", i), id)
	}
	for _, id := range found.KeyIDs {
		if !sealed.ValidSubject(id) {
			f.Object("#/keyIds", "pattern", "%q is no key of personal data.", id)
		}
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	if len(found.Streams) == 0 {
		return nil, ErrNoSubject.Detailf("Nothing here is about a subject %s: see who is known under /v1/persons.", c.SubjectID)
	}
	if before, erased := s.erased.Get(c.SubjectID); erased {
		found.KeyIDs = slices.DeleteFunc(found.KeyIDs, func(id string) bool { return slices.Contains(before.keyIDs, id) })
		if len(found.KeyIDs) == 0 {
			return nil, nil
		}
	}
	if err := s.mayForget(by, c.SubjectID, found); err != nil {
		return nil, err
	}
	if n := len(found.NoCopy); n > 0 && !c.WithoutCopy {
		return nil, ErrNoCopy.Detailf("No copy without the name can be made of %d documents: say withoutCopy to destroy them as they are.", n).
			With("documents", found.NoCopy[:min(n, maxListedInFull)])
	}
	if err := authz.SecondPerson(ErrDualControl, by, c.Second, authz.ComplianceOfficer); err != nil {
		return nil, err
	}
	if err := authz.Signed(by); err != nil {
		return nil, err
	}
	return []Event{PersonalDataErased{
		RequestID: c.RequestID, SubjectID: c.SubjectID, Basis: c.Basis, KeyIDs: found.KeyIDs,
		RequestedBy: c.Second.ID, AuthorizedBy: by.ID, KeptUnder: s.keptUnder(c.SubjectID), RedactedEvidenceIDs: found.Redacted,
	}}, nil
}

// mayForget refuses while the organization needs to know who the subject is.
func (s State) mayForget(by fact.Actor, subjectID string, found PersonalData) error {
	for _, m := range s.MembersOf(subjectID) {
		if !m.Offboarded {
			return ErrStillEnrolled.Detailf("The subject is enrolled as member %s: offboard that member first.", m.ID)
		}
	}
	for _, h := range s.HeldBy("", subjectID) {
		return ErrHeld.Detailf("Legal hold %s (%s) covers this: it has to be released first.", h.ID, h.Matter).With("holdId", h.ID)
	}
	for _, stream := range found.Streams {
		for _, h := range s.HeldBy(stream, "") {
			return ErrHeld.Detailf("Legal hold %s (%s) covers %s, in which the subject occurs: it has to be released first.", h.ID, h.Matter, stream).With("holdId", h.ID)
		}
	}
	var until time.Time
	for _, at := range found.Signed {
		if t := s.RetainedUntil(at); t.After(until) {
			until = t
		}
	}
	if until.After(by.At) {
		at := until.UTC().Format(time.RFC3339)
		return ErrRetained.Detailf("The subject has signed what is retained until %s, and a signature shows a name.", at).With("until", at)
	}
	return nil
}

// keptUnder is what stays of a subject who was a member: what they did, under
// opaque ids, until the latest of it need not be kept any longer.
func (s State) keptUnder(subjectID string) []Kept {
	var last time.Time
	for _, m := range s.MembersOf(subjectID) {
		if m.OffboardedAt.After(last) {
			last = m.OffboardedAt
		}
	}
	if last.IsZero() {
		return nil
	}
	return []Kept{{Law: RecordRetention, Until: s.RetainedUntil(last).UTC()}}
}

// applyErased remembers what was erased.
func (s State) applyErased(e PersonalDataErased) State {
	before, _ := s.erased.Get(e.SubjectID)
	s.erased = s.erased.Set(e.SubjectID, erasure{keyIDs: append(slices.Clip(before.keyIDs), e.KeyIDs...)})
	return s
}

// normal is the form that is stored: sorted, nothing twice, nil for nothing.
func (p PersonalData) normal() PersonalData {
	for _, list := range []*[]string{&p.Streams, &p.KeyIDs, &p.Redacted, &p.NoCopy} {
		values := slices.Clone(*list)
		slices.Sort(values)
		if *list = slices.Compact(values); len(values) == 0 {
			*list = nil
		}
	}
	return p
}
