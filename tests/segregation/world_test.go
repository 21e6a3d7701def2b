package segregation

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/memory"
	"strata.dev/strata/app/command"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/personal"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/organization"
)

const issuer = "https://issuer.test"

// world is one organization under attack.
type world struct {
	*index
	ctx       context.Context
	org       uuid.UUID
	processes []*command.Commands
	logins    map[string]string // of each member: the subject at the issuer
	persons   *personal.Sealer
	humans    int
	ids       int
	coverage  *coverage
	step      int
	trace     []string // what was tried, and what came of it
}

// coverage counts what was accepted, and by which rules the rest was refused.
type coverage struct {
	accepted map[string]int
	refused  map[string]int
	events   map[string]int
}

func newCoverage() *coverage {
	return &coverage{accepted: map[string]int{}, refused: map[string]int{}, events: map[string]int{}}
}

func newWorld(ctx context.Context, log eventlog.Log, seen *coverage) (*world, error) {
	w := &world{index: newIndex(log), ctx: ctx, org: uuid.NewSHA1(uuid.NameSpaceURL, []byte(issuer)), logins: map[string]string{}, coverage: seen, persons: personal.NewSealer(&memory.Keys{})}
	for range 2 {
		w.processes = append(w.processes, command.New(w.options()))
	}
	first := func() organization.FirstMember {
		m := w.newMember(organization.Person)
		return organization.FirstMember{
			MemberID: m.MemberID, SubjectID: m.SubjectID, Issuer: m.Issuer, ExternalIDHash: m.ExternalIDHash, GrantID: w.newID(),
		}
	}
	admin, officer := first(), first()
	c := w.call(w.signedIn("operator"))
	c.Principal = command.Principal{Issuer: issuer, Subject: "operator", Operator: true}
	if _, err := w.processes[0].Organizations.Execute(ctx, c, w.org, organization.RegisterOrganization{
		Name: "Examples Ltd", Administrator: admin, ComplianceOfficer: officer,
	}); err != nil {
		return nil, err
	}
	var staff []organization.Command
	year := time.Now().AddDate(1, 0, 0)
	for n, roles := range [][]string{
		{authz.Author},
		{authz.Author, authz.IndicatorOwner},
		{authz.Approver},
		{authz.Approver, authz.RiskAcceptor},
		{authz.ComplianceOfficer},
		{authz.IndicatorOwner},
		{authz.IndicatorOwner, authz.RiskAcceptor},
		{authz.Auditor},
		{authz.Auditor},
		{authz.RiskAcceptor},
		{authz.RiskAcceptor, authz.DataSteward},
		{authz.Administrator},
		{authz.ComplianceOfficer, authz.RiskAcceptor},
		{authz.Author, authz.ComplianceOfficer},
		{authz.ComplianceOfficer, authz.IndicatorOwner},
		{authz.Approver, authz.IndicatorOwner},
	} {
		m := w.newMember(organization.Person)
		staff = append(staff, m)
		for _, r := range roles {
			g := organization.GrantRole{GrantID: w.newID(), MemberID: m.MemberID, Role: r, Scope: organization.Scope{All: true}}
			if n > 10 { // not for ever: S5 counts those who stay
				g.ExpiresAt = &year
			}
			staff = append(staff, g)
		}
	}
	robot := w.newMember(organization.Service)
	staff = append(staff, robot, organization.GrantRole{
		GrantID: w.newID(), MemberID: robot.MemberID, Role: authz.Integrator, Scope: organization.Scope{All: true},
	})
	if _, err := w.processes[0].Organizations.Execute(ctx, w.call(w.person(admin.MemberID)), w.org, staff...); err != nil {
		return nil, err
	}
	_, err := w.catchUp(ctx, 0)
	return w, err
}

// newID gives ids in an order that is the same whenever the same is drawn.
func (w *world) newID() string {
	w.ids++
	return uuid.NewSHA1(w.org, []byte(strconv.Itoa(w.ids))).String()
}

func (w *world) options() command.Options {
	return command.Options{
		Log: w.log, Basis: w.index, Findings: w.index, Persons: memory.PersonIndex{Log: w.log}, Imports: &memory.Imports{}, Personal: w.persons,
	}
}

// newMember is somebody who was never here before.
func (w *world) newMember(kind organization.MemberKind) organization.EnrolMember {
	w.humans++
	return w.enrolment(w.newID(), login(w.humans), kind)
}

// login is the subject of the nth that came.
func login(n int) string { return "login-" + strconv.Itoa(n) }

func (w *world) enrolment(subject, login string, kind organization.MemberKind) organization.EnrolMember {
	m := organization.EnrolMember{
		MemberID: w.newID(), SubjectID: subject, Issuer: issuer, Kind: kind,
		ExternalIDHash: organization.IdentityHash(w.org.String(), issuer, login),
	}
	w.logins[m.MemberID] = login
	return m
}

// signedIn is whoever signs in as this subject now.
func (w *world) signedIn(subject string) command.Principal {
	return command.Principal{OrganizationID: w.org, Issuer: issuer, Subject: subject, AuthMethod: "oidc", AuthAt: time.Now()}
}

func (w *world) person(memberID string) command.Principal { return w.signedIn(w.logins[memberID]) }

func (w *world) call(by command.Principal) command.Call {
	id := uuid.New()
	hash := sha256.Sum256(id[:])
	return command.Call{
		Principal: by, CommandID: id, Hash: hash[:], Origin: eventlog.Origin{Kind: "api", Channel: "http"}, CorrelationID: id.String(),
	}
}

// attempt lets a process answer a command and judges what came of it: what was
// refused left nothing behind, and what was recorded broke no rule.
func (w *world) attempt(r *rand.Rand, name string, call command.Call, do func(*command.Commands, command.Call) error) error {
	process := r.IntN(len(w.processes))
	refused := do(w.processes[process], call)
	events, err := w.catchUp(w.ctx, process)
	w.trace = append(w.trace, fmt.Sprintf("%s %d: process %d, %s by %+v: %v", time.Now().Format(time.DateTime), w.step, process, name, call.Principal, refused))
	for _, e := range events {
		w.trace = append(w.trace, fmt.Sprintf("    %d %s %s %s", e.Position, e.StreamID, e.Type, e.Data))
	}
	if err != nil {
		return fmt.Errorf("step %d, %s: %w", w.step, name, err)
	}
	for _, e := range events {
		w.coverage.events[e.Type]++
	}
	if refused == nil {
		if len(events) == 0 {
			return fmt.Errorf("step %d: %s was accepted and recorded nothing", w.step, name)
		}
		w.coverage.accepted[name]++
		return nil
	}
	f, ok := errors.AsType[*fault.Fault](refused)
	switch {
	case errors.Is(refused, errNothingNew) && len(events) == 0:
		return nil
	case !ok || f.Kind == fault.Internal || f.Kind == fault.Unavailable || f.Kind == fault.Unknown:
		return fmt.Errorf("step %d: %s fails: %w", w.step, name, refused)
	case len(events) > 0:
		return fmt.Errorf("step %d: %s was refused (%w) and recorded %d events", w.step, name, refused, len(events))
	}
	w.coverage.refused[f.Rule]++
	w.coverage.refused[name+": "+f.Slug+" "+f.Rule]++
	return nil
}

// errNothingNew: it was answered, and there was nothing to record.
var errNothingNew = errors.New("nothing new")

// has says whether a member holds a role as the log stands.
func (w *world) has(memberID, role, strategyID string) bool {
	for _, g := range w.ledger.grants {
		if g.member == memberID && g.role == role && g.present(time.Now()) && (strategyID == anyScope || g.covers(strategyID)) {
			return true
		}
	}
	return false
}

// pick gives one of those that are wanted, "" if there are none. Maps have no
// order: what is picked must depend on the draw alone.
func pick[V any](r *rand.Rand, from map[string]V, want func(V) bool) string {
	keys := slices.Sorted(maps.Keys(from))
	keys = slices.DeleteFunc(keys, func(k string) bool { return want != nil && !want(from[k]) })
	if len(keys) == 0 {
		return ""
	}
	return keys[r.IntN(len(keys))]
}

// member picks a person who is enrolled, and wanted.
func (w *world) member(r *rand.Rand, want func(*member) bool) string {
	return pick(r, w.ledger.members, func(m *member) bool { return !m.service && m.left == nil && (want == nil || want(m)) })
}

// with picks a person who holds a role for a strategy, if possible not one of
// those who must not do it.
func (w *world) with(r *rand.Rand, role, strategyID string, not ...string) string {
	id := w.member(r, func(m *member) bool { return w.has(m.id, role, strategyID) && !w.ledger.among(m.id, not) })
	if id == "" {
		return w.member(r, func(m *member) bool { return w.has(m.id, role, strategyID) })
	}
	return id
}

// tempted picks a person who holds a role and is one of those who should not
// use it here, "" if there is none.
func (w *world) tempted(r *rand.Rand, role, strategyID string, not ...string) string {
	return w.member(r, func(m *member) bool { return w.has(m.id, role, strategyID) && w.ledger.among(m.id, not) })
}

// odds says yes n times in a hundred.
func odds(r *rand.Rand, n int) bool { return r.IntN(100) < n }

// as is a call of somebody who should be allowed to do it; or, sometimes, of
// anybody, of somebody who signed in long ago, or of a machine.
func (w *world) as(r *rand.Rand, memberID string) command.Call {
	switch sin := r.IntN(100); {
	case sin < 12:
		memberID = pick(r, w.ledger.members, nil) // services, and those who left, too
	case sin < 16:
		return w.call(w.machine(r))
	}
	c := w.call(w.person(memberID))
	if odds(r, 6) {
		c.Principal.AuthAt = time.Now().Add(-time.Duration(301+r.IntN(3600)) * time.Second)
	}
	return c
}

// countersign has a second person stand behind a call, mostly as it should be.
func (w *world) countersign(r *rand.Rand, c command.Call, memberID string) command.Call {
	signed := time.Now().Add(-time.Duration(r.IntN(3)) * time.Second)
	by := w.person(memberID)
	hash := c.Hash
	switch r.IntN(30) {
	case 0:
		return c
	case 1:
		by = c.Principal
	case 2:
		by = w.person(pick(r, w.ledger.members, nil))
	case 3:
		signed = signed.Add(-25 * time.Hour)
	case 4:
		hash = slices.Repeat([]byte{7}, 32)
	case 5:
		by.AuthAt = signed.Add(-6 * time.Minute)
	}
	if by.AuthAt.After(signed) {
		by.AuthAt = signed
	}
	c.Countersignature = &command.Countersignature{ID: w.newID(), Principal: by, Hash: hash, Meaning: "I agree.", SignedAt: signed}
	return c
}
