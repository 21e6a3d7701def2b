package process_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/command"
	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/strategy"
)

const issuer = "https://issuer.test"

// tenant is an organization with a member for each role.
type tenant struct {
	*world
	id      uuid.UUID
	members map[string]string
}

func (w *world) register() *tenant {
	w.t.Helper()
	o := &tenant{world: w, id: uuid.New(), members: map[string]string{}}
	first := func(name string) organization.FirstMember {
		o.members[name] = uuid.NewString()
		return organization.FirstMember{
			MemberID: o.members[name], SubjectID: uuid.NewString(), Issuer: issuer,
			ExternalIDHash: organization.IdentityHash(o.id.String(), issuer, name), GrantID: uuid.NewString(),
		}
	}
	operator := call(uuid.NewString(), command.Principal{Issuer: issuer, Subject: "operator", Operator: true})
	o.must(w.commands.Organizations.Execute(w.t.Context(), operator, o.id, organization.RegisterOrganization{
		Name: "Examples Ltd", Administrator: first("admin"), ComplianceOfficer: first("officer"),
		FiscalYearStart: int(began.AddDate(0, 6, 0).Month()), // no year ends while a story is told
	}))
	for name, role := range map[string]string{
		"officer2": authz.ComplianceOfficer, "author": authz.Author, "approver": authz.Approver, "owner": authz.IndicatorOwner,
		"steward": authz.DataSteward, "auditor": authz.Auditor, "acceptor": authz.RiskAcceptor, "acceptor2": authz.RiskAcceptor,
	} {
		o.enrol(name, role, nil)
	}
	return o
}

func (o *tenant) must(r command.Result, err error) command.Result {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
	return r
}

func (o *tenant) enrol(name, role string, until *time.Time) {
	o.t.Helper()
	o.members[name] = uuid.NewString()
	o.organization("admin", organization.EnrolMember{
		MemberID: o.members[name], SubjectID: uuid.NewString(), Issuer: issuer, Kind: organization.Person,
		ExternalIDHash: organization.IdentityHash(o.id.String(), issuer, name),
	}, organization.GrantRole{
		GrantID: uuid.NewString(), MemberID: o.members[name], Role: role, Scope: organization.Scope{All: true}, ExpiresAt: until,
	})
}

// as is a call of a member who has just signed in.
func (o *tenant) as(name string) command.Call {
	return call(uuid.NewString(), command.Principal{
		OrganizationID: o.id, Issuer: issuer, Subject: name, AuthMethod: "bearer", AuthAt: o.now(),
	})
}

// countersigned is a call of a member that another one has countersigned.
func (o *tenant) countersigned(name, by string) command.Call {
	c := o.as(name)
	c.Countersignature = &command.Countersignature{
		ID: uuid.NewString(), Principal: o.as(by).Principal, Hash: c.Hash, Meaning: "I agree.", SignedAt: o.now(),
	}
	return c
}

func (o *tenant) organization(as string, commands ...organization.Command) {
	o.t.Helper()
	o.must(o.commands.Organizations.Execute(o.t.Context(), o.as(as), o.id, commands...))
}

func (o *tenant) strategy(as string, id uuid.UUID, commands ...strategy.Command) {
	o.t.Helper()
	o.must(o.commands.Strategies.Execute(o.t.Context(), o.as(as), id, commands...))
}

func (o *tenant) indicator(as string, id uuid.UUID, commands ...indicator.Command) {
	o.t.Helper()
	o.must(o.commands.Indicators.Execute(o.t.Context(), o.as(as), id, commands...))
}

func (o *tenant) finding(as string, id uuid.UUID, commands ...finding.Command) {
	o.t.Helper()
	o.must(o.commands.Findings.Execute(o.t.Context(), o.as(as), id, commands...))
}

// draft makes a strategy with objectives of these identifiers, and gives the
// objectives' ids.
func (o *tenant) draft(id uuid.UUID, d strategy.DraftStrategy, identifiers ...string) (objectives []string) {
	o.t.Helper()
	goal := uuid.NewString()
	d.Frame.Name = "Plan"
	commands := []strategy.Command{d, strategy.AddGoal{GoalID: goal, Name: "Goal"}}
	for _, identifier := range identifiers {
		objectives = append(objectives, uuid.NewString())
		commands = append(commands, strategy.AddObjective{GoalID: goal, ObjectiveID: objectives[len(objectives)-1], Identifier: identifier, Name: "Objective " + identifier})
	}
	o.strategy("author", id, commands...)
	return objectives
}

// activate submits, approves and activates what is drafted.
func (o *tenant) activate(id uuid.UUID) {
	o.t.Helper()
	o.strategy("author", id, strategy.SubmitStrategy{Summary: "first"})
	s := fold[strategy.State, strategy.Event](o, "strategy-"+id.String(), strategy.State.Apply)
	hash := s.Working.ContentHash
	o.strategy("approver", id, strategy.ApproveStrategy{ContentHash: hash, Meaning: strategy.Business})
	o.strategy("officer", id, strategy.ApproveStrategy{ContentHash: hash, Meaning: strategy.Compliance})
	o.strategy("officer2", id, strategy.ActivateStrategy{ContentHash: hash, Meaning: strategy.Activation})
}

// began is when the tests began: a year may end while they run.
var began = time.Now()

// year is the nth year before the one that the tests began in.
func year(n int) calendar.Period {
	y := began.Year() - n
	return calendar.Period{Start: calendar.Date(fmt.Sprintf("%d-01-01", y)), End: calendar.Date(fmt.Sprintf("%d-12-31", y))}
}

// define makes a yearly indicator whose target is 100 in each of the last years.
func (o *tenant) define(id, strategyID uuid.UUID, objectiveID string) {
	o.t.Helper()
	commands := []indicator.Command{indicator.DefineIndicator{StrategyID: strategyID.String(), ObjectiveID: objectiveID, Definition: indicator.Definition{
		Name: "Score", Unit: "points", Type: indicator.Quantitative, Direction: indicator.AtLeast, Frequency: calendar.Year, OwnerID: o.members["owner"],
	}}}
	for n := 1; n <= 3; n++ {
		commands = append(commands, indicator.SetTarget{Period: year(n), Value: indicator.Stated{Number: "100"}, Reason: "plan"})
	}
	o.indicator("author", id, commands...)
}

func (o *tenant) measure(id uuid.UUID, period calendar.Period, value string) {
	o.t.Helper()
	o.indicator("owner", id, indicator.RecordMeasurement{MeasurementID: uuid.NewString(), Period: period, Value: indicator.Stated{Number: value}})
}

// policy sets the policy of all that follows: what is off track is critical,
// holds end by themselves, and of a source three messages may be refused per hour.
func (o *tenant) policy() {
	o.t.Helper()
	p := organization.DefaultPolicy()
	p.BreachSeverity, p.AutoResume, p.RejectionSuspendThreshold = "critical", true, 3
	o.must(o.commands.Organizations.Execute(o.t.Context(), o.countersigned("officer", "officer2"), o.id, organization.SetGovernancePolicy{Policy: p, Reason: "tests"}))
}

// fold reads a stream and folds it, without anything of the service.
func fold[S, E any](o *tenant, stream string, apply func(S, fact.Actor, E) S) (s S) {
	o.t.Helper()
	events, err := o.log.ReadStream(o.t.Context(), o.id, stream, 0, 0)
	if err != nil {
		o.t.Fatal(err)
	}
	for _, e := range events {
		body, err := eventcodec.Decode(e.Type, e.SchemaVersion, e.Data)
		if err != nil {
			o.t.Fatal(err)
		}
		m := metadata(o, e)
		s = apply(s, fact.Actor{ID: m.Actor.ID, Kind: fact.Kind(m.Actor.Kind), At: e.RecordedAt}, body.(E))
	}
	return s
}

func metadata(o *tenant, e eventlog.Event) eventlog.Metadata {
	o.t.Helper()
	m, err := eventlog.DecodeMetadata(e.Metadata)
	if err != nil {
		o.t.Fatal(err)
	}
	return m
}

// findings gives the findings of the organization by dedupe key or id, in the
// order in which they were raised.
func (o *tenant) findings() (all []finding.State) {
	o.t.Helper()
	for _, e := range o.events(o.id) {
		if e.Type == "finding.raised" {
			all = append(all, fold[finding.State, finding.Event](o, e.StreamID, finding.State.Apply))
		}
	}
	return all
}

// about is the only finding with a dedupe key.
func (o *tenant) about(key string) uuid.UUID {
	o.t.Helper()
	var ids []uuid.UUID
	for _, f := range o.findings() {
		if strings.HasPrefix(f.DedupeKey, key) {
			ids = append(ids, uuid.MustParse(f.ID))
		}
	}
	if len(ids) != 1 {
		o.t.Fatalf("%d findings with key %s", len(ids), key)
	}
	return ids[0]
}

// effects are what the processes have done: events by actor and type, and
// timers by kind and state, each with how often.
type effects map[string]int

func (o *tenant) effects() effects {
	o.t.Helper()
	count := effects{}
	for _, e := range o.events(o.id) {
		m := metadata(o, e)
		name := e.Type
		switch {
		case name == "journal.reminded":
			body, err := eventcodec.Decode(e.Type, e.SchemaVersion, e.Data)
			if err != nil {
				o.t.Fatal(err)
			}
			name = "reminded " + reminderKind(body)
		case m.Actor.Kind == eventlog.SystemProcess:
			name = m.Actor.ID + " " + name
		default:
			continue
		}
		if m.CausationID == "" {
			o.t.Errorf("%s at position %d does not say its cause", e.Type, e.Position)
		}
		count[name]++
	}
	rows, err := o.sql.Query(o.t.Context(), `SELECT kind || ' timer ' || state, count(*)::int FROM timers WHERE organization_id = $1 GROUP BY 1`, o.id)
	if err != nil {
		o.t.Fatal(err)
	}
	type line struct {
		Name string
		N    int
	}
	lines, err := pgx.CollectRows(rows, pgx.RowToStructByPos[line])
	if err != nil {
		o.t.Fatal(err)
	}
	for _, l := range lines {
		count[l.Name] = l.N
	}
	return count
}

// since lists what has come to be more ("-": less) often than before.
func (e effects) since(before effects) []string {
	var all []string
	names := maps.Clone(e)
	maps.Copy(names, before)
	for name := range names {
		switch n := e[name] - before[name]; {
		case n == 1:
			all = append(all, name)
		case n < 0:
			all = append(all, "-"+name)
		case n > 1:
			all = append(all, fmt.Sprintf("%s × %d", name, n))
		}
	}
	slices.Sort(all)
	return all
}
