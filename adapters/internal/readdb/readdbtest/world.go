package readdbtest

import (
	"fmt"
	"strings"

	"github.com/google/uuid"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/strategy"
)

// Pick gives a number from 0 to n-1: all choices of a history are made by it.
type Pick func(n int) int

// World is one organization's history and the states that it has led to.
type World struct {
	Log          *Log
	ID           uuid.UUID
	Organization organization.State
	Strategies   []*Strategy
	Indicators   []*Indicator
	Findings     []*Finding
	Evidence     []*Evidence
	Sources      []*Source

	watchers
	pick   Pick
	holds  []string // legal holds placed
	author fact.Actor
	others []fact.Actor // who approve and activate
}

// Strategy is a strategy and its state.
type Strategy struct {
	ID    uuid.UUID
	State strategy.State
}

// Indicator is an indicator and its state.
type Indicator struct {
	ID    uuid.UUID
	State indicator.State
}

// NewWorld registers an organization in log.
func NewWorld(log *Log, pick Pick) *World {
	w := &World{Log: log, ID: uuid.New(), pick: pick, watchers: newWatchers()}
	person := func(roles ...string) fact.Actor {
		return fact.Actor{ID: uuid.NewString(), Kind: fact.Person, Roles: roles}
	}
	w.author = person(authz.Author, authz.IndicatorOwner)
	w.others = []fact.Actor{person(authz.Approver, authz.ComplianceOfficer), person(authz.Approver, authz.ComplianceOfficer)}
	first := func(id string) organization.FirstMember {
		return organization.FirstMember{
			MemberID: id, SubjectID: uuid.NewString(), Issuer: "https://issuer.example", GrantID: uuid.NewString(),
			ExternalIDHash: organization.IdentityHash(w.ID.String(), "https://issuer.example", id),
		}
	}
	w.organization(fact.Actor{ID: uuid.NewString(), Kind: fact.Person, Roles: []string{authz.Operator}}, organization.RegisterOrganization{
		OrganizationID: w.ID.String(), Name: "Organization " + w.ID.String()[:8], Acronym: "ORG", TimeZone: "Europe/Tirane",
		Administrator: first(w.author.ID), ComplianceOfficer: first(w.others[0].ID),
	})
	if !w.Organization.Exists() {
		panic("readdbtest: the registration was refused")
	}
	return w
}

// Members are the author, who is the administrator, and the compliance officer
// of the registration.
func (w *World) Members() []uuid.UUID {
	return []uuid.UUID{uuid.MustParse(w.author.ID), uuid.MustParse(w.others[0].ID)}
}

// Few aggregates with long histories find more than many with short ones.
const (
	maxStrategies = 4
	maxIndicators = 6
)

// Step tries one random command; most are accepted.
func (w *World) Step() {
	switch n := w.pick(130); {
	case n < 6 && len(w.Strategies) < maxStrategies || len(w.Strategies) == 0:
		w.Draft()
	case n < 36:
		w.watch()
	case n < 66:
		w.editStrategy(w.Strategies[w.pick(len(w.Strategies))])
	case n < 86:
		w.decideStrategy(w.Strategies[w.pick(len(w.Strategies))])
	case n < 90 && len(w.Indicators) < maxIndicators || len(w.Indicators) == 0:
		w.Define(w.Strategies[w.pick(len(w.Strategies))])
	case n < 126:
		w.measure(w.Indicators[w.pick(len(w.Indicators))])
	case n < 128:
		w.members()
	default:
		w.govern()
	}
}

func (w *World) text(what string) string {
	return fmt.Sprintf("%s %d “ü” <&>", what, w.pick(1000))
}

func (w *World) stakeholders() []strategy.Stakeholder {
	return []strategy.Stakeholder{
		{Kind: strategy.OrganizationStakeholder, Name: w.text("Ministry"), Roles: []strategy.Role{{Name: "owner", Types: []strategy.RoleType{strategy.Performer}}}},
		{Kind: strategy.PersonStakeholder, Sealed: Sealed(Somebody, "secret-name")},
	}[:w.pick(3)]
}

// Draft drafts a strategy.
func (w *World) Draft() *Strategy {
	s := &Strategy{ID: uuid.New()}
	w.strategy(s, w.author, strategy.DraftStrategy{StrategyID: s.ID.String(), Frame: strategy.Frame{
		Name: w.text("Plan"), Vision: w.text("vision"), Values: []strategy.Value{{Name: w.text("value")}},
		Period: calendar.Period{Start: "2026-01-01", End: "2030-12-31"},
	}})
	w.Strategies = append(w.Strategies, s)
	return s
}

func (w *World) editStrategy(s *Strategy) {
	goals, objectives := s.State.Working.Plan.Goals(), s.State.Working.Plan.Objectives("")
	goal, objective := uuid.NewString(), uuid.NewString()
	if len(goals) > 0 {
		goal = goals[w.pick(len(goals))].ID
	}
	if len(objectives) > 0 {
		objective = objectives[w.pick(len(objectives))].ID
	}
	edit := func(field string) []strategy.Edit {
		return []strategy.Edit{{Field: field, New: strategy.Text(w.text(field))}, {Field: "sequence", New: strategy.Text(w.text(""))}}
	}
	switch n := w.pick(20); {
	case n < 5:
		w.AddGoal(s)
	case n < 11:
		w.AddObjective(s, goal)
	case n < 13:
		w.strategy(s, w.author, strategy.AmendFrame{Reason: "r", Edits: []strategy.Edit{
			{Field: "name", New: strategy.Text(w.text("Plan"))},
			{Field: "organizations", New: strategy.Content{Organizations: []strategy.Organization{{Name: "Body", Stakeholders: w.stakeholders()}}}},
		}})
	case n < 14:
		w.strategy(s, w.author, strategy.AmendGoal{GoalID: goal, Reason: "r", Edits: edit("name")})
	case n < 16:
		w.strategy(s, w.author, strategy.AmendObjective{ObjectiveID: objective, Reason: "r", Edits: append(edit("description"),
			strategy.Edit{Field: "stakeholders", New: strategy.Content{Stakeholders: w.stakeholders()}})})
	case n < 18:
		w.strategy(s, w.author, strategy.MoveObjective{ObjectiveID: objective, GoalID: goal, Reason: "r"})
	case n < 19:
		w.strategy(s, w.author, strategy.RetireObjective{ObjectiveID: objective, Reason: "r"})
	default:
		w.strategy(s, w.author, strategy.RetireGoal{GoalID: goal, Reason: "r"})
	}
}

// AddGoal adds a goal and gives its id.
func (w *World) AddGoal(s *Strategy) string {
	id := uuid.NewString()
	w.strategy(s, w.author, strategy.AddGoal{GoalID: id, Name: w.text("Goal"), Description: w.text("d"), Stakeholders: w.stakeholders()})
	return id
}

// AddObjective adds an objective and gives its id.
func (w *World) AddObjective(s *Strategy, goal string) string {
	id := uuid.NewString()
	w.strategy(s, w.author, strategy.AddObjective{ObjectiveID: id, GoalID: goal, Name: w.text("Objective"), Stakeholders: w.stakeholders()})
	return id
}

// digest stands for an indicator digest: the decider only compares it.
var digest = strings.Repeat("ab", 32)

func (w *World) decideStrategy(s *Strategy) {
	r := s.State.Working
	decider := w.others[w.pick(len(w.others))]
	policy := strategy.Policy{Approvals: 1 + w.pick(2), ComplianceRequired: true}
	meaning := []strategy.Meaning{strategy.Business, strategy.Compliance}[w.pick(2)]
	switch n := w.pick(20); {
	case s.State.HasInForce() && n < 2:
		w.oversee(s, decider)
	case r.Number == 0 && n < 10:
		w.strategy(s, w.author, strategy.OpenRevision{Reason: "r"})
	case r.Stage == strategy.Draft && n < 12:
		w.strategy(s, w.author, strategy.SubmitStrategy{IndicatorDigest: digest, AsOfPosition: 1, IndicatorAuthors: []string{w.author.ID}, Summary: "s"})
	case r.Stage == strategy.AwaitsApproval && n < 15:
		w.strategy(s, decider, strategy.ApproveStrategy{ContentHash: r.ContentHash, Meaning: meaning, Comment: w.text("fine"), Policy: policy})
	case r.Stage != strategy.Draft && n < 17:
		w.strategy(s, decider, strategy.ActivateStrategy{
			ContentHash: r.ContentHash, Meaning: strategy.Activation, IndicatorDigest: digest, Policy: strategy.Policy{Approvals: 1},
		})
	case r.Stage != strategy.Draft && n < 19:
		w.strategy(s, decider, strategy.RequestChanges{ContentHash: r.ContentHash, Comments: "not yet"})
	default:
		w.strategy(s, w.author, strategy.WithdrawRevision{Reason: "r"})
	}
}

// Define defines an indicator under an objective of the strategy, if it has one.
func (w *World) Define(s *Strategy) *Indicator {
	objective := uuid.NewString()
	if all := s.State.Working.Plan.Objectives(""); len(all) > 0 {
		objective = all[w.pick(len(all))].ID
	}
	i := &Indicator{ID: uuid.New()}
	w.indicator(i, w.author, indicator.DefineIndicator{
		IndicatorID: i.ID.String(), StrategyID: s.ID.String(), ObjectiveID: objective,
		Definition: indicator.Definition{
			Name: w.text("Indicator"), Unit: "%", Type: indicator.Quantitative, Frequency: calendar.Year, Baseline: "10",
			Direction:  []indicator.Direction{indicator.Increase, indicator.Decrease, indicator.AtLeast, indicator.AtMost}[w.pick(4)],
			Dimensions: []indicator.Dimension{{Name: "sex", Values: []string{"f", "m"}}},
		},
	})
	w.Indicators = append(w.Indicators, i)
	return i
}

// ActivateFirst submits, approves and activates the strategy's working revision.
func (w *World) ActivateFirst(s *Strategy) {
	w.strategy(s, w.author, strategy.SubmitStrategy{IndicatorDigest: digest, AsOfPosition: 1, Summary: "s"})
	hash, policy := s.State.Working.ContentHash, strategy.Policy{Approvals: 2, ComplianceRequired: true}
	w.strategy(s, w.others[0], strategy.ApproveStrategy{ContentHash: hash, Meaning: strategy.Business, Policy: policy})
	w.strategy(s, w.others[1], strategy.ApproveStrategy{ContentHash: hash, Meaning: strategy.Compliance, Policy: policy})
	w.strategy(s, w.others[0], strategy.ActivateStrategy{ContentHash: hash, Meaning: strategy.Activation, IndicatorDigest: digest, Policy: policy})
	if !s.State.HasInForce() {
		panic("readdbtest: the activation was refused")
	}
}

func (w *World) measure(i *Indicator) {
	year := 2010 + w.pick(15)
	period := calendar.Period{Start: calendar.Date(fmt.Sprintf("%d-01-01", year)), End: calendar.Date(fmt.Sprintf("%d-12-31", year))}
	dims := []indicator.Dims{nil, nil, nil, {"sex": "f"}, {"sex": "m"}}[w.pick(5)]
	value := indicator.Stated{Number: fmt.Sprintf("%d.%02d0", w.pick(90), w.pick(100))}
	live := i.State.Measurements()
	measurement := uuid.NewString()
	if len(live) > 0 {
		measurement = live[w.pick(len(live))].ID
	}
	switch n := w.pick(40); {
	case n < 12:
		w.indicator(i, w.author, indicator.SetTarget{Period: period, Dims: dims, Value: value, Reason: "r", Note: w.text("n")})
	case n < 28:
		w.indicator(i, w.author, indicator.RecordMeasurement{MeasurementID: uuid.NewString(), Period: period, Dims: dims, Value: value, Note: w.text("n")})
	case n < 34:
		w.indicator(i, w.author, indicator.CorrectMeasurement{MeasurementID: measurement, Value: value, Reason: "r"})
	case n < 37:
		w.indicator(i, w.author, indicator.VoidMeasurement{MeasurementID: measurement, Reason: "r"})
	case n < 39:
		c := indicator.RedefineIndicator{Reason: "r", Edits: []indicator.Edit{{Field: "name", New: indicator.Text(w.text("Indicator"))}}}
		switch w.pick(3) {
		case 1:
			c.ComparabilityBreak = true
			c.Edits = append(c.Edits, indicator.Edit{Field: "unit", New: indicator.Text(w.text("unit"))})
		case 2:
			c.Edits = append(c.Edits, indicator.Edit{Field: "headline", New: indicator.Content{Dims: dims}})
		}
		w.indicator(i, w.author, c)
	default:
		switch w.pick(20) {
		case 0:
			w.indicator(i, w.author, indicator.RetireIndicator{Reason: "r"})
		case 1, 2, 3, 4, 5:
			w.Relink(i, w.Strategies[w.pick(len(w.Strategies))])
		}
	}
}

func (w *World) members() {
	admin := w.author
	admin.Roles = []string{authz.Administrator}
	id, subject := uuid.NewString(), uuid.NewString()
	w.organization(admin, organization.EnrolMember{
		MemberID: id, SubjectID: subject, DisplayName: Sealed(subject, "secret-name"), Issuer: "https://issuer.example",
		ExternalIDHash: organization.IdentityHash(w.ID.String(), "https://issuer.example", id), Kind: organization.Person,
	})
	scope := organization.Scope{All: true}
	if len(w.Strategies) > 0 && w.pick(2) == 0 {
		scope = organization.Scope{StrategyIDs: []string{w.Strategies[0].ID.String()}}
	}
	grant := uuid.NewString()
	w.organization(admin, organization.GrantRole{GrantID: grant, MemberID: id, Role: authz.Viewer, Scope: scope, TicketRef: "T-1"})
	switch w.pick(3) {
	case 0:
		w.organization(admin, organization.RevokeRole{MemberID: id, GrantIDs: []string{grant}, Reason: "r"})
	case 1:
		w.organization(admin, organization.OffboardMember{MemberID: id, Reason: "r"})
	}
}

// now is an actor who acts now and has just signed in.
func (w *World) now(by fact.Actor) fact.Actor {
	by.At = w.Log.Now()
	by.AuthAt = by.At
	return by
}

func (w *World) organization(by fact.Actor, c organization.Command) {
	events, err := organization.Decide(w.Organization, w.now(by), c)
	if err != nil {
		return // a refused command is no history
	}
	for _, e := range events {
		actors := w.Log.Record(w.ID, "organization-"+w.ID.String(), by, e)
		w.Organization = w.Organization.Apply(actors[0], e)
	}
}

func (w *World) strategy(s *Strategy, by fact.Actor, c strategy.Command) {
	events, err := strategy.Decide(s.State, w.now(by), c)
	if err != nil {
		return
	}
	for _, e := range events {
		actors := w.Log.Record(w.ID, "strategy-"+s.ID.String(), by, e)
		s.State = s.State.Apply(actors[0], e)
	}
}

func (w *World) indicator(i *Indicator, by fact.Actor, c indicator.Command) {
	events, err := indicator.Decide(i.State, w.now(by), c)
	if err != nil {
		return
	}
	for _, e := range events {
		actors := w.Log.Record(w.ID, "indicator-"+i.ID.String(), by, e)
		i.State = i.State.Apply(actors[0], e)
	}
}

// Measured gives an indicator with years of targets and measurements, as a bulk load has.
func (w *World) Measured(s *Strategy, years int) *Indicator {
	i := w.Define(s)
	for n := range years {
		period := calendar.Period{Start: calendar.Date(fmt.Sprintf("%d-01-01", 1990+n)), End: calendar.Date(fmt.Sprintf("%d-12-31", 1990+n))}
		value := indicator.Stated{Number: fmt.Sprintf("%d.5", n)}
		w.indicator(i, w.author, indicator.SetTarget{Period: period, Value: value, Reason: "r"})
		w.indicator(i, w.author, indicator.RecordMeasurement{MeasurementID: uuid.NewString(), Period: period, Value: value})
	}
	return i
}
