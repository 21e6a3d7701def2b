package command_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/strategy"
)

func yearly(objectiveID, strategyID uuid.UUID) indicator.DefineIndicator {
	return indicator.DefineIndicator{StrategyID: strategyID.String(), ObjectiveID: objectiveID.String(), Definition: indicator.Definition{
		Name: "Score", Unit: "points", Type: indicator.Quantitative, Direction: indicator.AtLeast, Frequency: calendar.Year,
	}}
}

func target(year, value string) indicator.SetTarget {
	return indicator.SetTarget{
		Period: calendar.Period{Start: calendar.Date(year + "-01-01"), End: calendar.Date(year + "-12-31")},
		Value:  indicator.Stated{Number: value}, Reason: "plan",
	}
}

// From draft to in force: what the service adds to the commands (digest,
// authors, policy, same person) makes the rules hold.
func TestStrategyComesIntoForce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enrol("officer2", authz.ComplianceOfficer)
	w.enrol("planner", authz.Author)
	id, _, objective := w.draft()
	score := uuid.New()
	w.must(w.commands.Indicators.Execute(t.Context(), w.as("planner"), score, yearly(objective, id), target("2024", "5")))
	w.must(w.commands.Strategies.Execute(t.Context(), w.as("author"), id, strategy.SubmitStrategy{Summary: "first"}))

	s := fold[strategy.State, strategy.Event](t, w.log, w.org, "strategy-"+id.String(), strategy.State.Apply)
	i := fold[indicator.State, indicator.Event](t, w.log, w.org, "indicator-"+score.String(), indicator.State.Apply)
	if want := indicator.Digest([]indicator.Basis{i.Basis()}); s.Working.IndicatorDigest != want {
		t.Errorf("submitted digest %s, want %s", s.Working.IndicatorDigest, want)
	}
	hash := s.Working.ContentHash
	approve := strategy.ApproveStrategy{ContentHash: hash, Meaning: strategy.Business}
	comply := strategy.ApproveStrategy{ContentHash: hash, Meaning: strategy.Compliance}
	activate := strategy.ActivateStrategy{ContentHash: hash, Meaning: strategy.Activation}

	// The planner wrote targets only, and may not approve even with the role.
	w.must(w.commands.Organizations.Execute(t.Context(), w.as("admin"), w.org,
		organization.RevokeRole{MemberID: w.members["planner"], GrantIDs: grantsOf(t, w, "planner"), Reason: "change of post"},
		organization.GrantRole{GrantID: uuid.NewString(), MemberID: w.members["planner"], Role: authz.Approver, Scope: organization.Scope{All: true}, TicketRef: "T-3"}))
	_, err := w.commands.Strategies.Execute(t.Context(), w.as("planner"), id, approve)
	refused(t, err, strategy.ErrOwnWork)

	// Signed in too long ago.
	old := w.as("approver")
	old.Principal.AuthAt = time.Now().Add(-time.Hour)
	_, err = w.commands.Strategies.Execute(t.Context(), old, id, approve)
	refused(t, err, authz.ErrNotSigned)

	r := w.must(w.commands.Strategies.Execute(t.Context(), w.as("approver"), id, approve))
	events := w.stream(r.StreamID)
	got := metadataOf(t, events[len(events)-1]).Signature
	if got == nil || got.SignedAt.IsZero() {
		t.Fatalf("signature %+v", got)
	}
	want := &eventlog.Signature{SignerID: w.members["approver"], Meaning: "business", ContentHash: hash, SignedAt: got.SignedAt}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if metadataOf(t, events[0]).Signature != nil {
		t.Error("a draft is no signature")
	}
	_, err = w.commands.Strategies.Execute(t.Context(), w.as("officer"), id, activate)
	refused(t, err, strategy.ErrNoQuorum)
	w.must(w.commands.Strategies.Execute(t.Context(), w.as("officer"), id, comply))

	// A target changed since: what was approved is not what would come into force.
	w.must(w.commands.Indicators.Execute(t.Context(), w.as("author"), score, target("2024", "6")))
	_, err = w.commands.Strategies.Execute(t.Context(), w.as("officer2"), id, activate)
	refused(t, err, strategy.ErrIndicators)
	w.must(w.commands.Indicators.Execute(t.Context(), w.as("author"), score, target("2024", "5")))
	w.must(w.commands.Strategies.Execute(t.Context(), w.as("officer2"), id, activate))

	// S15: in force, targets need a second person who may approve, found by
	// another process, too.
	for name, commands := range map[string]*command.Commands{"here": w.commands, "elsewhere": w.process()} {
		set := target("2025", "7")
		_, err = commands.Indicators.Execute(t.Context(), w.as("author"), score, set)
		refused(t, err, indicator.ErrSecondPerson)
		for who, rule := range map[string]*fault.Fault{
			"author": indicator.ErrSecondPerson, "owner": indicator.ErrSecondPerson, "nobody": command.ErrFormerMember,
		} {
			_, err = commands.Indicators.Execute(t.Context(), w.countersigned("author", who), score, set)
			refusedAs(t, name+", countersigned by "+who, err, rule)
		}
	}
	set := target("2025", "7")
	r = w.must(w.commands.Indicators.Execute(t.Context(), w.countersigned("author", "approver"), score, set))
	last := w.stream(r.StreamID)
	event, countersignature := last[len(last)-1], metadataOf(t, last[len(last)-1]).Countersignature
	if !strings.Contains(string(event.Data), `"authorizedBy":"`+w.members["approver"]+`"`) || countersignature == nil ||
		countersignature.SignerID != w.members["approver"] || countersignature.Meaning != "I agree." {
		t.Errorf("the event is %s, countersigned %+v", event.Data, countersignature)
	}
	other := w.countersigned("author", "approver")
	other.Hash = other.CommandID[:]
	_, err = w.commands.Indicators.Execute(t.Context(), other, score, target("2025", "8"))
	refused(t, err, command.ErrOtherCommand)
	// Facts do not stop.
	w.must(w.commands.Indicators.Execute(t.Context(), w.as("owner"), score, indicator.RecordMeasurement{
		MeasurementID: uuid.NewString(), Period: set.Period, Value: indicator.Stated{Number: "7.5"},
	}))
}

func grantsOf(t *testing.T, w *world, name string) []string {
	t.Helper()
	s := fold[organization.State, organization.Event](t, w.log, w.org, "organization-"+w.org.String(), organization.State.Apply)
	var ids []string
	for _, g := range s.GrantsOf(w.members[name]) {
		ids = append(ids, g.ID)
	}
	return ids
}

func TestIndicatorsBelongToLivingObjectives(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, goal, objective := w.draft()
	stranger := newWorldOn(t, w.log)
	foreign, _, foreignObjective := stranger.draft()
	for name, define := range map[string]indicator.DefineIndicator{
		"no such objective":                      yearly(uuid.New(), id),
		"a goal":                                 yearly(goal, id),
		"no such strategy":                       yearly(objective, uuid.New()),
		"another organization's":                 yearly(foreignObjective, foreign),
		"another organization's of our strategy": yearly(foreignObjective, id),
		"no id at all":                           {ObjectiveID: objective.String(), StrategyID: "x"},
	} {
		_, err := w.commands.Indicators.Execute(t.Context(), w.as("author"), uuid.New(), define)
		refusedAs(t, name, err, command.ErrNoObjective)
	}
	// One added by another process a moment ago is there.
	add := strategy.AddObjective{GoalID: goal.String(), ObjectiveID: uuid.NewString()}
	w.must(w.process().Strategies.Execute(t.Context(), w.as("author"), id, add))
	w.must(w.commands.Indicators.Execute(t.Context(), w.as("author"), uuid.New(), yearly(uuid.MustParse(add.ObjectiveID), id)))
	w.must(w.commands.Strategies.Execute(t.Context(), w.as("author"), id, strategy.RetireObjective{ObjectiveID: objective.String(), Reason: "r"}))
	_, err := w.process().Indicators.Execute(t.Context(), w.as("author"), uuid.New(), yearly(objective, id))
	refused(t, err, command.ErrNoObjective)
}
