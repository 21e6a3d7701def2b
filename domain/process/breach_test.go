package process_test

import (
	"strings"
	"testing"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/process"
	"strata.dev/strata/domain/severity"
)

// offTrack is an indicator that went off track with the event at position 10.
func offTrack(strategyID string) process.Indicator {
	return process.Indicator{State: measured("i", strategyID, id("o"), "100", "10"), OffTrackAt: 10}
}

func TestBreachRaisesOneFindingAndAssignsIt(t *testing.T) {
	s := inForce("s", 1, planned{"o", "1"})
	f := process.BreachFacts{Indicator: offTrack(s.ID), Strategy: s, Policy: policy(), OwnerCanRespond: true}
	f.Policy.BreachSeverity = severity.High
	d := process.Breach(cause(10), f)
	expect(t, d, "raise:"+id("i"), "assign:"+id("i"))

	raise := d.Steps[0].Command.(finding.RaiseFinding)
	if raise.DedupeKey != "breach:"+id("i") || raise.Severity != severity.High || raise.Kind != finding.MajorNC || raise.Origin != finding.FromBreach ||
		len(raise.Subjects) != 2 || raise.Subjects[0] != (finding.Subject{Type: "indicator", ID: id("i")}) ||
		raise.Subjects[1] != (finding.Subject{Type: "strategy", ID: s.ID, Revision: 1}) {
		t.Errorf("raised %+v", raise)
	}
	if !strings.Contains(raise.Condition, "10 % for 2025-01-01/2025-12-31") || !strings.Contains(raise.Criteria, "Target 100 %") {
		t.Errorf("condition %q, criteria %q", raise.Condition, raise.Criteria)
	}
	// What is asked of the finding is what it takes.
	state := accepts(t, finding.State{}, raise)
	assign := d.Steps[1].Command.(finding.AssignFinding)
	assign.OwnerRoles = []string{authz.IndicatorOwner}
	state = accepts(t, state, assign)
	if state.OwnerID != id("owner") || state.ID != d.Steps[1].Target {
		t.Errorf("the finding is %+v", state)
	}
	// And then there is nothing left to do.
	f.Findings = []process.Finding{{State: state}}
	expect(t, process.Breach(cause(10), f))
	expect(t, process.Breach(cause(20), f))
}

// accepts makes sure that a finding takes what a process asks of it.
func accepts(t *testing.T, s finding.State, c finding.Command) finding.State {
	t.Helper()
	events, err := finding.Decide(s, machine, c)
	if err != nil {
		t.Fatalf("%T: %v", c, err)
	}
	for _, e := range events {
		s = s.Apply(machine, e)
	}
	return s
}

func TestBreachIsOnlyOfWhatIsOffTrackNow(t *testing.T) {
	s := inForce("s", 1, planned{"o", "1"})
	blocker := raised("b", severity.Critical, s.ID)
	for name, c := range map[string]struct {
		indicator process.Indicator
		strategy  process.Strategy
		want      []string
	}{
		"recovered since":         {process.Indicator{State: measured("i", s.ID, id("o"), "100", "100")}, s, nil},
		"at risk":                 {process.Indicator{State: measured("i", s.ID, id("o"), "100", "95")}, s, nil},
		"never measured":          {process.Indicator{State: measured("i", s.ID, id("o"), "", "")}, s, nil},
		"unknown indicator":       {process.Indicator{}, s, nil},
		"retired":                 {process.Indicator{State: offTrack(s.ID).Apply(person, indicator.Retired{Reason: "r"})}, s, nil},
		"strategy in preparation": {offTrack(s.ID), process.Strategy{State: preparing("s")}, nil},
		"strategy closed":         {offTrack(s.ID), closed(s, ""), nil},
		"strategy on hold":        {offTrack(s.ID), held(s, blockerOf(blocker)), []string{"raise:" + id("i"), "assign:" + id("i")}},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, process.Breach(cause(10), process.BreachFacts{
				Indicator: c.indicator, Strategy: c.strategy, Policy: policy(), OwnerCanRespond: true,
			}), c.want...)
		})
	}
}

func TestBreachKeepsToTheFindingThereIs(t *testing.T) {
	s := inForce("s", 1, planned{"o", "1"})
	own := func() process.Finding { return raised("finding/"+id("i"), severity.Medium, s.ID) }
	other := raised("other", severity.Medium, s.ID)
	both := []string{"raise:" + id("i"), "assign:" + id("i")}
	for name, c := range map[string]struct {
		known  []process.Finding
		nobody bool // the owner cannot respond
		want   []string
	}{
		"open and owned":                    {[]process.Finding{assigned(other, "2026-04-01")}, false, nil},
		"accepted":                          {[]process.Finding{acceptedUntil(assigned(other, "2026-04-01"), "2026-12-31", 5)}, false, nil},
		"closed before this breach":         {[]process.Finding{ended(other, 9)}, false, both},
		"closed in view of this breach":     {[]process.Finding{ended(other, 11)}, false, nil},
		"an old one and one that is open":   {[]process.Finding{ended(other, 5), assigned(own(), "2026-04-01")}, false, nil},
		"raised, and then a crash":          {[]process.Finding{own()}, false, []string{"assign:" + id("i")}},
		"nobody can respond":                {nil, true, []string{"raise:" + id("i"), "remind finding-unowned of finding-" + own().ID}},
		"nobody can respond, after a crash": {[]process.Finding{own()}, true, []string{"remind finding-unowned of finding-" + own().ID}},
		"nobody's, from another cause":      {[]process.Finding{other}, true, nil},
		"nobody's until now":                {[]process.Finding{other}, false, []string{"assign:" + id("i")}},
	} {
		t.Run(name, func(t *testing.T) {
			d := process.Breach(cause(50), process.BreachFacts{
				Indicator: offTrack(s.ID), Strategy: s, Policy: policy(), OwnerCanRespond: !c.nobody, Findings: c.known,
			})
			expect(t, d, c.want...)
		})
	}
}

// A finding's texts are made of an indicator's, which may be as long as they like.
func TestBreachTextsFit(t *testing.T) {
	s := inForce("s", 1, planned{"o", "1"})
	i := offTrack(s.ID)
	i.Definition.Name, i.Definition.Unit = strings.Repeat("ä", 2_000), strings.Repeat("€", 1_300)
	d := process.Breach(cause(1), process.BreachFacts{Indicator: i, Strategy: s, Policy: policy()})
	accepts(t, finding.State{}, d.Steps[0].Command.(finding.RaiseFinding))
}

func TestProcessesCloseNothing(t *testing.T) {
	_, err := finding.Decide(assigned(raised("f", severity.Low), "2026-04-01").State, fact.Actor{ID: "breach", Kind: fact.Process, At: noon},
		finding.CloseFinding{Resolution: finding.Dismissed, Reason: strings.Repeat("because ", 5), Meaning: finding.MeansClosure})
	if err == nil {
		t.Error("a process closed a finding")
	}
}
