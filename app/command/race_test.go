package command_test

import (
	"errors"
	"reflect"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"strata.dev/strata/adapters/memory"
	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/command"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/strategy"
	"strata.dev/strata/tests/testenv"
)

const racers = 64

// together runs n functions released at the same moment and gives their errors.
func together(n int, do func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = do(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

// onLogs runs a test on the log in memory and on a real one.
func onLogs(t *testing.T, test func(t *testing.T, w *world)) {
	t.Run("memory", func(t *testing.T) { test(t, newWorld(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, newWorldOn(t, realLog(t))) })
}

func realLog(t testing.TB) eventlog.Log {
	t.Helper()
	log, err := postgres.Open(t.Context(), testenv.Log(t).App, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(log.Close)
	return log
}

// Two processes, no expected versions: everybody gets in, in some order.
func TestRacersWithoutExpectationAllGetIn(t *testing.T) {
	t.Parallel()
	onLogs(t, racersAllGetIn)
}

func racersAllGetIn(t *testing.T, w *world) {
	id, _, _ := w.draft()
	processes := []*command.Commands{w.commands, w.process()}
	goals := make([]strategy.AddGoal, racers)
	errs := together(racers, func(i int) error {
		goals[i] = addGoal()
		_, err := processes[i%2].Strategies.Execute(t.Context(), w.as("author"), id, goals[i])
		return err
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	s := fold[strategy.State, strategy.Event](t, w.log, w.org, "strategy-"+id.String(), strategy.State.Apply)
	if n := len(s.Working.Plan.Goals()); n != racers+1 {
		t.Errorf("%d goals, want %d", n, racers+1)
	}
	for _, g := range goals {
		if _, ok := s.Working.Plan.Goal(g.GoalID); !ok {
			t.Errorf("goal %s is missing", g.GoalID)
		}
	}
}

func TestOfRacersForOneVersionOneWins(t *testing.T) {
	t.Parallel()
	onLogs(t, oneRacerWins)
}

func oneRacerWins(t *testing.T, w *world) {
	id, _, _ := w.draft()
	processes := []*command.Commands{w.commands, w.process()}
	expected := int64(3)
	errs := together(racers, func(i int) error {
		c := w.as("author")
		c.Expected = &expected
		_, err := processes[i%2].Strategies.Execute(t.Context(), c, id, addGoal())
		return err
	})
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		if f := faultOf(t, err, command.ErrStale); f.Extra["currentRevision"] != int64(4) {
			t.Errorf("currentRevision %v, want 4", f.Extra["currentRevision"])
		}
	}
	if n := len(w.stream("strategy-" + id.String())); won != 1 || n != 4 {
		t.Errorf("%d winners and %d events, want 1 and 4", won, n)
	}
}

func TestOneKeyManyTimesAtOnce(t *testing.T) {
	t.Parallel()
	onLogs(t, oneKeyManyTimes)
}

func oneKeyManyTimes(t *testing.T, w *world) {
	id, _, _ := w.draft()
	processes := []*command.Commands{w.commands, w.process()}
	c, goal := w.as("author"), addGoal()
	results := make([]command.Result, 32)
	errs := together(len(results), func(i int) (err error) {
		results[i], err = processes[i%2].Strategies.Execute(t.Context(), c, id, goal)
		return err
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	fresh := 0
	for _, r := range results {
		if !r.Replayed {
			fresh++
		}
		r.Replayed = results[0].Replayed
		if diff := cmp.Diff(results[0], r); diff != "" {
			t.Errorf("different answers: %s", diff)
		}
	}
	if n := len(w.stream(results[0].StreamID)); fresh != 1 || n != 4 {
		t.Errorf("%d first answers and %d events, want 1 and 4", fresh, n)
	}
}

// States are shared between goroutines: the race detector sees who writes to one.
func TestRacersOnOneIndicator(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, _, objective := w.draft()
	score := uuid.New()
	w.must(w.commands.Indicators.Execute(t.Context(), w.as("author"), score, yearly(objective, id)))
	processes := []*command.Commands{w.commands, w.process()}
	errs := together(racers, func(i int) error {
		set := target(strconv.Itoa(1950+i/2), "5")
		if i%2 == 0 {
			_, err := processes[i/2%2].Indicators.Execute(t.Context(), w.as("author"), score, set)
			return err
		}
		_, err := processes[i/2%2].Indicators.Execute(t.Context(), w.as("owner"), score, indicator.RecordMeasurement{
			MeasurementID: uuid.NewString(), Period: set.Period, Value: indicator.Stated{Number: strconv.Itoa(i % 9)},
		})
		return err
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	s := fold[indicator.State, indicator.Event](t, w.log, w.org, "indicator-"+score.String(), indicator.State.Apply)
	if len(s.Targets()) != racers/2 || len(s.Measurements()) != racers/2 {
		t.Errorf("%d targets and %d measurements, want %d of each", len(s.Targets()), len(s.Measurements()), racers/2)
	}
}

// Whoever begins after the revocation was answered is refused; who was let in
// is in the log.
func TestRoleRevokedWhileCommandsRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, _, _ := w.draft()
	w.enrol("leaver", authz.Author)
	var revoked atomic.Bool
	var let, late atomic.Int64
	const workers = 8
	errs := together(workers+1, func(i int) error {
		if i == workers {
			for let.Load() < 20 {
				if _, err := w.commands.Strategies.Execute(t.Context(), w.as("author"), id, addGoal()); err != nil {
					return err
				}
			}
			_, err := w.commands.Organizations.Execute(t.Context(), w.as("admin"), w.org,
				organization.OffboardMember{MemberID: w.members["leaver"], Reason: "left"})
			revoked.Store(true)
			return err
		}
		for range 400 {
			after := revoked.Load()
			_, err := w.commands.Strategies.Execute(t.Context(), w.as("leaver"), id, addGoal())
			switch {
			case err == nil && after:
				late.Add(1)
			case err == nil:
				let.Add(1)
			case !errors.Is(err, command.ErrNotMember):
				return err
			case after:
				return nil
			}
		}
		return errors.New("never refused")
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	byLeaver := int64(0)
	for _, e := range w.stream("strategy-" + id.String()) {
		if metadataOf(t, e).Actor.ID == w.members["leaver"] {
			byLeaver++
		}
	}
	if late.Load() != 0 || byLeaver != let.Load() {
		t.Errorf("%d commands after the revocation; %d answered, %d in the log", late.Load(), let.Load(), byLeaver)
	}
}

// Whatever sequence of commands two processes run: what each remembers is what
// the log says, to the last bit, and the log holds what was answered.
func TestRememberedStateIsTheLogs(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorldOn(t, &memory.Log{})
		processes := []*command.Commands{w.commands, w.process()}
		id, goal, _ := w.draft()
		goals := []string{goal.String()}
		for range rapid.IntRange(1, 25).Draw(rt, "commands") {
			p := processes[rapid.IntRange(0, 1).Draw(rt, "process")]
			g := rapid.SampledFrom(goals).Draw(rt, "goal")
			var c strategy.Command
			switch rapid.IntRange(0, 3).Draw(rt, "command") {
			case 0:
				add := addGoal()
				goals = append(goals, add.GoalID)
				c = add
			case 1:
				c = strategy.AddObjective{GoalID: g, ObjectiveID: uuid.NewString()}
			case 2:
				c = strategy.RetireGoal{GoalID: g, Reason: "r"}
			case 3:
				c = strategy.AmendGoal{GoalID: g, Reason: "r", Edits: []strategy.Edit{{Field: "name", New: strategy.Text(uuid.NewString())}}}
			}
			before := len(w.stream("strategy-" + id.String()))
			r, err := p.Strategies.Execute(t.Context(), w.as("author"), id, c)
			after := int64(len(w.stream("strategy-" + id.String())))
			if err == nil && r.Version != after || err != nil && after != int64(before) {
				rt.Fatalf("answer %+v, %v; %d events before and %d after", r, err, before, after)
			}
		}
		want := fold[strategy.State, strategy.Event](t, w.log, w.org, "strategy-"+id.String(), strategy.State.Apply)
		for i, p := range processes {
			got, err := p.Strategies.Remembered(t.Context(), w.org, id)
			if err != nil || !reflect.DeepEqual(want, got) {
				rt.Fatalf("process %d remembers something else (%v):\nlog        %+v\nremembered %+v", i, err, want, got)
			}
		}
	})
}

// Times are part of an organization's state: those in memory are those of the
// recording, as in the log.
func TestRememberedOrganizationIsTheLogs(t *testing.T) {
	t.Parallel()
	w := newWorldOn(t, realLog(t))
	want := fold[organization.State, organization.Event](t, w.log, w.org, "organization-"+w.org.String(), organization.State.Apply)
	if got := w.commands.Organizations.Remembered(w.org); !got.Exists() || !reflect.DeepEqual(want, got) {
		t.Errorf("log        %+v\nremembered %+v", want, got)
	}
}
