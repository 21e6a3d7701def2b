package history_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"strata.dev/strata/adapters/oidc"
	"strata.dev/strata/cmd/strata/demo"
	"strata.dev/strata/ports/rest/restclient"
	"strata.dev/strata/tests/system"
)

// How the indicators stand that the Agenda names a number for: computed from what
// the United Kingdom published.
var standing = map[string]string{
	"1.1.1": "off_track", "1.2.1": "off_track", "3.1.1": "on_track", "6.1.1": "at_risk", "10.c.1": "off_track",
	"12.3.1": "off_track", "14.5.1": "on_track", "16.9.1": "on_track", "17.2.1": "off_track",
}

// agenda is the demo's strategy as the API gives it.
type agenda struct {
	Name, State string
	Goals       int
	Objectives  int
	Frame       struct{ OtherInformation string }
	Tree        []struct {
		Name       string
		Objectives []struct {
			Name       string
			Indicators []struct{ ID, Name, Identifier, Health string }
		}
	}
}

// The demo: the 2030 Agenda with 17 goals, 169 targets and 252 indicators, and what
// was measured. Loading it is interrupted again and again, and goes on; once it is
// there, loading it asks for nothing and changes nothing.
func TestDemo(t *testing.T) {
	s, service := system.Start(t, system.Options{})
	issuer, err := oidc.Open(oidc.Options{Env: "development", KeyFile: s.Setting("STRATA_DEV_KEY_FILE")})
	if err != nil {
		t.Fatal(err)
	}
	steps, of := 0, 0
	load := func(stopAfter int) (demo.Result, error) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		steps = 0
		return demo.Load(ctx, demo.Options{Base: service.Base, Issuer: issuer, Progress: func(done, total int, what string) {
			steps, of = steps+1, total
			if done > total || what == "" {
				t.Errorf("step %d of %d: %q", done, total, what)
			}
			if done == stopAfter {
				cancel()
			}
		}})
	}
	// Among the goals, the indicators, the values, the approvals.
	for _, stop := range []func() int{func() int { return 20 }, func() int { return 300 }, func() int { return of - 10 }, func() int { return of - 2 }} {
		if _, err := load(stop()); !errors.Is(err, context.Canceled) {
			t.Fatalf("loading was stopped after step %d: %v", steps, err)
		}
	}
	if of >= 600 {
		t.Errorf("loading takes %d requests; the service that `strata dev` starts lets nobody make more than 600 a minute", of)
	}
	began := time.Now()
	loaded, err := load(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the last loading took %s", time.Since(began).Round(time.Millisecond))
	vera := &restclient.Client{Base: service.Base, Token: loaded.Tokens["vera"]}
	published, err := demo.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	var have agenda
	head := system.MustGet(t, vera, "/v1/strategies/"+loaded.Strategy, 0, &have).Position
	if have.Name != demo.Name || have.State != "active" || have.Goals != 17 || have.Objectives != 169 {
		t.Errorf("%q is %s with %d goals and %d objectives", have.Name, have.State, have.Goals, have.Objectives)
	}
	var want, got []string
	for _, g := range published.Goals {
		want = append(want, g.Name)
	}
	for _, target := range published.Targets {
		want = append(want, target.Title)
	}
	measured := map[string]bool{}
	for _, i := range published.Indicators {
		want = append(want, i.Number+" "+i.Title)
		measured[i.Number] = i.Measured != nil
	}
	var objectives, indicators []string
	health, values := map[string]string{}, 0
	for _, g := range have.Tree {
		got = append(got, g.Name)
		for _, o := range g.Objectives {
			objectives = append(objectives, o.Name)
			for _, i := range o.Indicators {
				indicators = append(indicators, i.Identifier+" "+i.Name)
				if i.Health != "unknown" {
					health[i.Identifier] = i.Health
				}
				if !measured[i.Identifier] {
					continue
				}
				var one struct{ Measurements, Corrections, Voided int }
				system.MustGet(t, vera, "/v1/indicators/"+i.ID, head, &one)
				if one.Corrections != 0 || one.Voided != 0 {
					t.Errorf("indicator %s: %+v", i.Identifier, one)
				}
				values += one.Measurements
			}
		}
	}
	if diff := cmp.Diff(want, append(append(got, objectives...), indicators...)); diff != "" {
		t.Errorf("the plan is not the Agenda (-published +have):\n%s", diff)
	}
	if len(indicators) != 252 || values != 8_331 {
		t.Errorf("%d indicators with %d values, want 252 with 8331", len(indicators), values)
	}
	if diff := cmp.Diff(standing, health); diff != "" {
		t.Errorf("the indicators stand otherwise (-want +have):\n%s", diff)
	}

	recorded := s.Head(t)
	began = time.Now()
	again, err := load(0)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("a second loading took %s", took)
	}
	if again.Organization != loaded.Organization || again.Strategy != loaded.Strategy || again.Indicator != loaded.Indicator || loaded.Indicator == "" || steps != 0 || s.Head(t) != recorded {
		t.Errorf("a second loading found %+v after %+v in %d steps, and the log ends at %d after %d", again, loaded, steps, s.Head(t), recorded)
	}
}
