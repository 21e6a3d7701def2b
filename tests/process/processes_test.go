package process_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"strata.dev/strata/adapters/postgres/consumer"
	"strata.dev/strata/app/process"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/source"
	"strata.dev/strata/domain/strategy"
	"strata.dev/strata/tests/testenv"
)

// TestEveryProcess tells the story to a running consumer group and a running
// loop of timers, as they run in the service.
func TestEveryProcess(t *testing.T) {
	w := newWorld(t)
	s := w.newStory()
	p := w.runner(nil)
	w.run(consumer.Group{Name: process.Group, Handler: p.Handle})
	stop := w.fire(p, func() bool { return true })
	defer stop()

	before := effects{}
	for _, c := range chapters {
		t.Log(c.name)
		c.tell(s)
		testenv.Eventually(t, patience, c.name, func() error {
			if diff := cmp.Diff(sorted(c.after), s.effects().since(before)); diff != "" {
				return fmt.Errorf("effects (-want +got):\n%s", diff)
			}
			return nil
		})
		before = s.effects()
	}
	s.checkEnd(t)
}

func sorted(names []string) []string {
	names = slices.Clone(names)
	slices.Sort(names)
	return names
}

// fire runs the loop of timers until stop is called.
func (w *world) fire(p *process.Runner, leads func() bool) (stop func()) {
	ctx, cancel := withCancel(w.t)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.RunTimers(ctx, leads, 10*time.Millisecond)
	}()
	return func() { cancel(); <-ended }
}

// checkEnd makes sure of how things stand at the end of the story.
func (s *story) checkEnd(t *testing.T) {
	t.Helper()
	a := fold[strategy.State, strategy.Event](s.tenant, "strategy-"+s.a.String(), strategy.State.Apply)
	b := fold[strategy.State, strategy.Event](s.tenant, "strategy-"+s.b.String(), strategy.State.Apply)
	c := fold[strategy.State, strategy.Event](s.tenant, "strategy-"+s.c.String(), strategy.State.Apply)
	if a.Phase != strategy.Ended || a.Outcome != strategy.Superseded || b.Phase != strategy.Active || c.Phase != strategy.OnHold {
		t.Errorf("strategies are %s (%s), %s and %s", a.Phase, a.Outcome, b.Phase, c.Phase)
	}
	if len(c.Blockers) != 1 || c.Blockers[0].Kind != strategy.ByOrder {
		t.Errorf("the third is on hold for %+v", c.Blockers)
	}
	i := fold[indicator.State, indicator.Event](s.tenant, "indicator-"+s.i.String(), indicator.State.Apply)
	j := fold[indicator.State, indicator.Event](s.tenant, "indicator-"+s.j.String(), indicator.State.Apply)
	if i.StrategyID != s.b.String() || i.Retired || i.ObjectiveID != b.InForce.Plan.Objectives("")[0].ID || !j.Retired || j.StrategyID != s.a.String() {
		t.Errorf("indicators: %s under %s (retired %v), %s retired %v", i.StrategyID, i.ObjectiveID, i.Retired, j.StrategyID, j.Retired)
	}
	erp := fold[source.State, source.Event](s.tenant, "source-"+s.source.String(), source.State.Apply)
	if erp.Status != source.Active {
		t.Errorf("the source is %s", erp.Status)
	}
	var got []string
	for _, f := range s.findings() {
		key, _, _ := strings.Cut(f.DedupeKey, ":")
		owner := ""
		for name, id := range s.members {
			if id == f.OwnerID {
				owner = name
			}
		}
		got = append(got, strings.Join([]string{key, string(f.Severity), string(f.Stage), owner}, " "))
	}
	want := []string{"breach low assigned owner", "breach critical closed owner", "lineage high open ", "rejections high assigned steward"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	s.checkTrail(t)
}

// checkTrail makes sure that everything a process recorded says what caused it,
// and that it belongs to the same chain.
func (s *story) checkTrail(t *testing.T) {
	t.Helper()
	correlation, commands := map[string]string{}, map[string]bool{}
	for _, e := range s.events(s.id) {
		m := metadata(s.tenant, e)
		correlation[e.ID.String()] = m.CorrelationID
		if m.Actor.Kind != "process" || m.Actor.ID == "journal" {
			continue
		}
		if caused, ok := correlation[m.CausationID]; !ok || caused != m.CorrelationID {
			t.Errorf("%s at position %d: cause %q, correlation %q, the cause's %q", e.Type, e.Position, m.CausationID, m.CorrelationID, caused)
		}
		if m.Origin.Kind != "process" || m.PolicyVersion == 0 || m.OnBehalfOf != "" {
			t.Errorf("%s at position %d: %+v", e.Type, e.Position, m)
		}
		commands[m.CommandID.String()] = true
	}
	if len(commands) < 15 {
		t.Errorf("processes gave %d commands", len(commands))
	}
	for _, f := range s.findings() {
		if f.Stage == finding.Ended && f.Origin != finding.FromBreach {
			t.Errorf("closed: %+v", f)
		}
	}
}
