package process_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/process"
	"strata.dev/strata/domain/severity"
	"strata.dev/strata/domain/strategy"
)

func blockerOf(f process.Finding) strategy.Blocker {
	return strategy.Blocker{Kind: strategy.ByFinding, Ref: f.ID}
}

var order = strategy.Blocker{Kind: strategy.ByOrder, Ref: "order 1"}

func TestHold(t *testing.T) {
	s := inForce("s", 1, planned{"o", "1"})
	critical := raised("f", severity.Critical, s.ID)
	hold := "hold:" + s.ID + ":" + critical.ID
	for name, c := range map[string]struct {
		finding  process.Finding
		strategy process.Strategy
		policy   severity.Severity
		want     []string
	}{
		"critical":                     {critical, s, severity.Critical, []string{hold}},
		"severe enough by the policy":  {raised("f", severity.Medium, s.ID), s, severity.Medium, []string{hold}},
		"not severe enough":            {raised("f", severity.High, s.ID), s, severity.Critical, nil},
		"closed since":                 {ended(critical, 20), s, severity.Critical, nil},
		"accepted since":               {acceptedUntil(assigned(critical, ""), "2026-12-31", 20), s, severity.Critical, nil},
		"on hold for it already":       {critical, held(s, blockerOf(critical)), severity.Critical, nil},
		"on hold for something else":   {critical, held(s, order), severity.Critical, []string{hold}},
		"strategy in preparation":      {critical, process.Strategy{State: preparing("s")}, severity.Critical, nil},
		"strategy closed":              {critical, closed(s, ""), severity.Critical, nil},
		"a policy that says not which": {critical, s, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := process.HoldFacts{Finding: c.finding, Policy: policy(), Strategies: []process.Strategy{c.strategy}}
			f.Policy.AutoHoldSeverity = c.policy
			d := process.Hold(cause(10), f)
			expect(t, d, c.want...)
			for _, step := range d.Steps {
				if _, err := strategy.Decide(c.strategy.State, machine, step.Command.(strategy.Command)); err != nil {
					t.Errorf("the strategy refuses: %v", err)
				}
			}
		})
	}
}

func TestRelease(t *testing.T) {
	s := inForce("s", 1, planned{"o", "1"})
	critical, other := raised("f", severity.Critical, s.ID), raised("g", severity.Critical, s.ID)
	gone := ended(critical, 10)
	resume, remind := "resume:"+s.ID, "remind strategy-resumable of strategy-"+s.ID
	for name, c := range map[string]struct {
		finding  process.Finding
		blockers []strategy.Blocker
		others   []process.Finding
		byHand   bool // the policy does not resume by itself
		want     []string
	}{
		"closed":                           {gone, []strategy.Blocker{blockerOf(critical)}, nil, false, []string{resume}},
		"accepted":                         {acceptedUntil(assigned(critical, ""), "2026-12-31", 10), []strategy.Blocker{blockerOf(critical)}, nil, false, []string{resume}},
		"of a lower severity":              {raised("f", severity.High, s.ID), []strategy.Blocker{blockerOf(critical)}, nil, false, []string{resume}},
		"a compliance officer must resume": {gone, []strategy.Blocker{blockerOf(critical)}, nil, true, []string{remind}},
		"an order stands":                  {gone, []strategy.Blocker{order, blockerOf(critical)}, nil, false, []string{remind}},
		"another one is open":              {gone, []strategy.Blocker{blockerOf(critical), blockerOf(other)}, []process.Finding{other}, false, nil},
		"another one was settled before":   {gone, []strategy.Blocker{blockerOf(critical), blockerOf(other)}, []process.Finding{ended(other, 9)}, false, []string{resume}},
		"another one is settled later":     {gone, []strategy.Blocker{blockerOf(critical), blockerOf(other)}, []process.Finding{ended(other, 11)}, false, nil},
		"open again since":                 {critical, []strategy.Blocker{blockerOf(critical)}, nil, false, nil},
		"settled again since":              {ended(critical, 12), []strategy.Blocker{blockerOf(critical)}, nil, false, nil},
		"not on hold for it":               {gone, []strategy.Blocker{order}, nil, false, nil},
		"not on hold":                      {gone, nil, nil, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := process.HoldFacts{Finding: c.finding, Policy: policy(), Strategies: []process.Strategy{held(s, c.blockers...)}, Blockers: map[string]process.Finding{}}
			f.Policy.AutoResume = !c.byHand
			for _, o := range c.others {
				f.Blockers[o.ID] = o
			}
			d := process.Release(cause(10), f)
			expect(t, d, c.want...)
			for _, step := range d.Steps {
				command := step.Command.(strategy.ResumeStrategy)
				command.AutoResume, command.SettledFindings = true, []string{critical.ID, other.ID} // as the service says
				if _, err := strategy.Decide(f.Strategies[0].State, machine, command); err != nil {
					t.Errorf("the strategy refuses: %v", err)
				}
			}
		})
	}
}

// TestHoldsFollowFindings lets findings about one strategy come and go, with
// the process behind them: the strategy is on hold if and only if one that is
// open is grave enough, whatever the order; and an event that is looked at a
// second time leads to nothing.
func TestHoldsFollowFindings(t *testing.T) {
	severities := []severity.Severity{severity.Low, severity.High, severity.Critical}
	rapid.Check(t, func(t *rapid.T) {
		s := inForce("s", 1, planned{"o", "1"})
		p := policy()
		p.AutoResume, p.AutoHoldSeverity = true, rapid.SampledFrom(severities).Draw(t, "policy")
		var all []process.Finding
		position := int64(1)
		facts := func(n int) process.HoldFacts {
			f := process.HoldFacts{Finding: all[n], Policy: p, Strategies: []process.Strategy{s}, Blockers: map[string]process.Finding{}}
			for _, o := range all {
				f.Blockers[o.ID] = o
			}
			return f
		}
		settled := func() (ids []string) {
			for _, f := range all {
				if !f.Live() || f.Severity.Rank() < p.AutoHoldSeverity.Rank() {
					ids = append(ids, f.ID)
				}
			}
			return ids
		}
		for range rapid.IntRange(1, 20).Draw(t, "events") {
			position++
			decide := process.Hold
			n := len(all)
			if n > 0 {
				n = rapid.IntRange(0, min(n, 3)).Draw(t, "finding")
			}
			switch what := rapid.IntRange(0, 2).Draw(t, "what"); {
			case n == len(all):
				all = append(all, raised(fmt.Sprint("f", n), rapid.SampledFrom(severities).Draw(t, "severity"), s.ID))
			case what == 0 && all[n].Live():
				all[n], decide = ended(all[n], position), process.Release
			case what == 0:
				all[n].State = all[n].Apply(person, finding.ReturnedToWork{Reason: finding.Ineffective})
			case all[n].Live():
				e := finding.Reclassified{OldSeverity: all[n].Severity, Severity: rapid.SampledFrom(severities).Draw(t, "severity"), Kind: finding.MajorNC}
				all[n].State, all[n].SettledAt = all[n].Apply(person, e), position
				if process.Lowers(e) {
					decide = process.Release
				}
			}
			for _, step := range decide(cause(position), facts(n)).Steps {
				command := step.Command.(strategy.Command)
				if r, ok := command.(strategy.ResumeStrategy); ok {
					r.AutoResume, r.SettledFindings = p.AutoResume, settled()
					command = r
				}
				events, err := strategy.Decide(s.State, machine, command)
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				for _, e := range events {
					s.State = s.Apply(machine, e)
				}
			}
			if d := decide(cause(position), facts(n)); len(d.Steps)+len(d.Reminders) > 0 {
				t.Fatalf("a second look leads to %v", names(d))
			}
			grave := len(settled()) < len(all)
			if (s.Phase == strategy.OnHold) != grave {
				t.Fatalf("the strategy is %s; findings %+v", s.Phase, all)
			}
		}
	})
}
