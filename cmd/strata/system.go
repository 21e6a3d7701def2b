package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"strata.dev/strata/app/projection"
	"strata.dev/strata/app/query"
)

// systemPatience is how long a part may take to say how it is.
const systemPatience = 2 * time.Second

// systemParts are those that exist only where this instance runs them.
type systemParts struct {
	ingest func() query.IngestState
}

// tally counts what processes have done.
type tally struct {
	mu     sync.Mutex
	counts map[query.ProcessState]int64 // by name and outcome
}

func (t *tally) add(name, outcome string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = map[query.ProcessState]int64{}
	}
	t.counts[query.ProcessState{Name: name, Outcome: outcome}]++
}

// states are the counts, by name and outcome.
func (t *tally) states() []query.ProcessState {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]query.ProcessState, 0, len(t.counts))
	for state, n := range t.counts {
		state.Count = n
		all = append(all, state)
	}
	slices.SortFunc(all, func(a, b query.ProcessState) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Outcome, b.Outcome))
	})
	return all
}

// survey asks the parts of a service beside each other how they are.
type survey struct {
	service *service
	head    int64

	mu     sync.Mutex
	report query.System
}

// system answers getSystem. Without the log nothing can be said; any other part
// that does not answer is named and left out.
func (s *service) system(ctx context.Context) (query.System, error) {
	ctx, cancel := context.WithTimeout(ctx, systemPatience)
	defer cancel()
	head, err := s.events.Head(ctx)
	if err != nil {
		return query.System{}, query.ErrUnavailable.Because(fmt.Errorf("head of the log: %w", err))
	}
	v := &survey{service: s, head: head, report: query.System{
		Time: time.Now().UTC(), Version: buildVersion, Position: head,
		Projections: make([]query.ProjectionState, len(s.projections())),
		Groups:      []query.GroupState{}, Processes: []query.ProcessState{}, Databases: []query.DatabaseState{}, Away: []string{},
	}}
	var asked sync.WaitGroup
	for i, p := range s.projections() {
		asked.Go(func() { v.projection(ctx, i, p) })
	}
	for _, db := range []struct {
		name  string
		facts func(context.Context) (int64, time.Time, error)
	}{{"log", s.events.Facts}, {s.plans.Name(), s.plans.Facts}, {s.audit.Name(), s.audit.Facts}} {
		asked.Go(func() { v.database(ctx, db.name, db.facts) })
	}
	asked.Go(func() { v.timers(ctx) })
	asked.Wait()
	v.inMemory()
	r := v.report
	slices.SortFunc(r.Databases, func(a, b query.DatabaseState) int {
		return slices.Index(databaseOrder, a.Name) - slices.Index(databaseOrder, b.Name)
	})
	slices.Sort(r.Away)
	r.Away = slices.Compact(r.Away)
	return r, nil
}

var databaseOrder = []string{"log", "plans", "audit"}

// away notes that a part did not answer.
func (v *survey) away(ctx context.Context, name string, err error) {
	v.service.log.WarnContext(ctx, "a part does not say how it is", "part", name, "err", err)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.report.Away = append(v.report.Away, name)
}

func (v *survey) projection(ctx context.Context, i int, p projection.Projection) {
	state := query.ProjectionState{Name: p.Name(), State: "away"}
	st, err := p.Status(ctx)
	if err != nil {
		v.away(ctx, p.Name(), err)
	} else {
		state = query.ProjectionState{
			Name: p.Name(), State: st.State(), Generation: st.Generation.Number, Position: st.Generation.Position,
			Lag: st.Lag(v.head), Parked: st.ParkedTotal,
		}
		if st.Verified != nil {
			at := st.Verified.At.UTC()
			state.VerifiedAt, state.VerifiedPosition = &at, st.Verified.Position
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.report.Projections[i] = state
}

// database compares clocks half a round trip apart.
func (v *survey) database(ctx context.Context, name string, facts func(context.Context) (int64, time.Time, error)) {
	before := time.Now()
	bytes, clock, err := facts(ctx)
	trip := time.Since(before)
	if err != nil {
		v.away(ctx, name, err)
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.report.Databases = append(v.report.Databases, query.DatabaseState{
		Name: name, Bytes: bytes, ClockMillis: clock.Sub(before.Add(trip / 2)).Milliseconds(),
	})
}

func (v *survey) timers(ctx context.Context) {
	counts, err := v.service.timers.Counts(ctx, time.Now().UTC())
	if err != nil {
		v.away(ctx, "timers", err)
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.report.Timers = query.TimerState{Pending: counts.Pending, Due: counts.Due}
	if counts.Pending > 0 {
		v.report.Timers.NextAt = &counts.Next
	}
}

// inMemory adds what this instance knows without asking.
func (v *survey) inMemory() {
	for _, g := range v.service.consumers.Status() {
		state := query.GroupState{
			Name: g.Name, Leader: g.Leader, Position: g.Position, Parked: g.Parked, Failing: g.LastError != "", Since: g.Since.UTC(),
		}
		if g.Leader && g.Lag >= 0 {
			state.Lag = &g.Lag
		}
		v.report.Groups = append(v.report.Groups, state)
	}
	st := v.service.publisher.Status()
	v.report.Broker = query.BrokerState{Connected: st.Connected, Blocked: st.Blocked, Since: st.Since.UTC()}
	v.report.Processes = v.service.tally.states()
	if v.service.parts.ingest != nil {
		v.report.Ingest = v.service.parts.ingest()
	}
}
