package system

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/oidc"
	"strata.dev/strata/app/command"
	"strata.dev/strata/ports/rest/restclient"
	"strata.dev/strata/ports/rest/resttest"
)

const (
	attemptTimeout = 20 * time.Second      // of one request; the service answers 504 before
	pause          = 25 * time.Millisecond // before a repetition
	settleTime     = 30 * time.Second      // for what is under way when the load stops
)

// LoadOptions say how much there is to do.
type LoadOptions struct {
	Clients   int
	PerSecond int // commands of all clients together, at most
	Seed      uint64
	Bases     []string // of the services to ask
}

// once sends a request once. The transport of net/http would repeat one that has
// an idempotency key by itself, and hide that a connection was lost.
type once struct{ *http.Transport }

func (o once) RoundTrip(r *http.Request) (*http.Response, error) {
	r.GetBody = nil
	return o.Transport.RoundTrip(r)
}

// Load is clients that send commands: measurements recorded and corrected and
// targets set, on indicators that all share and on one that is each one's own,
// and some that must be refused. Each has one command under way at a time and
// repeats it, with its key, until it is answered.
type Load struct {
	History *History
	Given   Given // what was appended before

	system  *System
	o       LoadOptions
	bases   atomic.Pointer[[]string]
	http    *http.Client
	flying  atomic.Int64
	shared  []string // ids of indicators
	clients []*client

	mu       sync.Mutex
	failures map[string]int // requests without an answer, by kind

	stop    context.CancelFunc
	running sync.WaitGroup
}

// NewLoad makes the indicators. Run starts the clients.
func (s *System) NewLoad(t testing.TB, o LoadOptions) *Load {
	t.Helper()
	checked, err := resttest.Transport(once{&http.Transport{MaxIdleConnsPerHost: o.Clients + 1}}, func(objection string) { t.Error(objection) })
	if err != nil {
		t.Fatal(err)
	}
	l := &Load{
		History: &History{}, system: s, o: o, failures: map[string]int{},
		http: &http.Client{Timeout: attemptTimeout, Transport: checked},
	}
	t.Cleanup(l.http.CloseIdleConnections)
	l.Target(o.Bases...)
	sam := s.Client(o.Bases[0], "sam")
	var drafted struct{ StrategyID string }
	MustPost(t, sam, "/v1/strategies", map[string]any{"frame": map[string]string{"name": "Under load"}}, &drafted)
	var goal struct{ GoalID string }
	MustPost(t, sam, "/v1/strategies/"+drafted.StrategyID+"/commands/add-goal", map[string]string{"name": "Goal"}, &goal)
	var objective struct{ ObjectiveID string }
	MustPost(t, sam, "/v1/strategies/"+drafted.StrategyID+"/commands/add-objective", map[string]string{"goalId": goal.GoalID, "name": "Objective"}, &objective)
	define := func(name string) string {
		var defined struct{ IndicatorID string }
		l.Given = Given(MustPost(t, sam, "/v1/indicators", map[string]any{
			"strategyId": drafted.StrategyID, "objectiveId": objective.ObjectiveID,
			"definition": map[string]any{"name": name, "unit": "points", "type": "quantitative", "direction": "increase", "frequency": "day"},
		}, &defined))
		return defined.IndicatorID
	}
	for i := range 3 {
		l.shared = append(l.shared, define(fmt.Sprintf("Shared %d", i+1)))
	}
	for i := range o.Clients {
		l.clients = append(l.clients, newClient(l, i, define(fmt.Sprintf("Of client %d", i))))
	}
	l.clients = append(l.clients, newClient(l, o.Clients, define("Probed")))
	return l
}

// Target says which services to ask from now on.
func (l *Load) Target(bases ...string) { l.bases.Store(&bases) }

// Run starts the clients. Stop ends them.
func (l *Load) Run() {
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	for _, c := range l.clients[:l.o.Clients] {
		l.running.Go(func() { c.run(ctx, time.Second*time.Duration(l.o.Clients)/time.Duration(l.o.PerSecond)) })
	}
}

// Stop asks for nothing new and waits until what is under way is answered. What
// is not answered within half a minute is noted as unknown.
func (l *Load) Stop() {
	l.stop()
	l.running.Wait()
}

// Probe sends one command and repeats it until it is answered or ctx ends.
func (l *Load) Probe(ctx context.Context) Operation {
	c := l.probing()
	return c.do(ctx, c.recordOwn(), true)
}

// Next, Begin, Send and Settle are Probe in steps, for tests that look closer:
// a command, an operation for it, one attempt, and the note in the history.
func (l *Load) Next() Request { return l.probing().recordOwn() }

// Begin makes the operation of a command from Next.
func (l *Load) Begin(r Request) Operation { return l.probing().begin(r) }

// Settle notes how an operation ended.
func (l *Load) Settle(o Operation) {
	l.probing().learn(o, "")
	o.Ended = time.Now()
	l.History.Add(o)
}

// probing is the client that asks when the test wants to know.
func (l *Load) probing() *client { return l.clients[len(l.clients)-1] }

// InFlight is how many requests wait for their answer.
func (l *Load) InFlight() int { return int(l.flying.Load()) }

// Acknowledged is the last position that a client was told of.
func (l *Load) Acknowledged() (position int64) {
	for _, o := range l.History.Operations() {
		position = max(position, o.Position)
	}
	return position
}

// Failures counts the requests that got no answer, by the kind of the failure.
func (l *Load) Failures() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(map[string]int, len(l.failures))
	for k, n := range l.failures {
		out[k] = n
	}
	return out
}

func (l *Load) failed(kind string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures[kind]++
}

// Request is one command as it is sent, the same at every repetition.
type Request struct {
	Kind, Subject, Path, Key, IfMatch string
	Body                              any
}

func (c *client) begin(r Request) Operation {
	return Operation{
		Client: c.number, Kind: r.Kind, Began: time.Now(), Outcome: Unknown, Request: r,
		Command: command.CommandID(c.load.system.Organization.ID, oidc.DevIssuer, r.Subject, r.Key),
		Stream:  "indicator-" + strings.Split(r.Path, "/")[3],
	}
}

// do sends a command until it is answered, and notes how it ended. A client that
// does not insist may stop when it is told that nothing was recorded.
func (c *client) do(ctx context.Context, r Request, insist bool) Operation {
	o := c.begin(r)
	absent := true // as far as the failures so far say
	for ctx.Err() == nil {
		bases := *c.load.bases.Load()
		m, err := c.load.Send(ctx, bases[(c.number+o.Attempts)%len(bases)], r, &o)
		o.Attempts++
		if err == nil {
			c.learn(o, m)
			break
		}
		kind := failure(err)
		c.load.failed(kind)
		// Some take the service at its word that nothing was recorded, and give up.
		if absent = absent && (kind == NothingRecorded || kind == ConnectionRefused); absent && kind == NothingRecorded && !insist && c.rand.IntN(8) == 0 {
			o.Outcome, o.Code = Refused, kind
			break
		}
		t := time.NewTimer(pause + rand.N(pause))
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
	}
	o.Ended = time.Now()
	c.load.History.Add(o)
	return o
}

// Send sends a command once. An answer that settles it is put into o; it may
// name a measurement. Any other answer is an error: it has to be repeated.
func (l *Load) Send(ctx context.Context, base string, r Request, o *Operation) (measurementID string, err error) {
	l.flying.Add(1)
	defer l.flying.Add(-1)
	asking := l.system.Client(base, r.Subject)
	asking.HTTP = l.http
	answer, err := asking.Do(ctx, restclient.Request{Method: http.MethodPost, Path: r.Path, Key: r.Key, IfMatch: r.IfMatch, Body: r.Body})
	var problem *restclient.Problem
	switch {
	case errors.As(err, &problem) && (problem.Status >= 500 || problem.Status == http.StatusTooManyRequests):
		return "", err
	case errors.As(err, &problem):
		o.Outcome, o.Code = Refused, problem.Code
		return "", nil
	case err != nil:
		return "", err
	}
	var result struct {
		Version  int64 `json:",string"`
		Position int64 `json:",string"`
		EventIDs []uuid.UUID

		MeasurementID string
	}
	if err := answer.Decode(&result); err != nil {
		return "", err
	}
	o.Outcome, o.Version, o.Position, o.Events, o.Replayed = OK, result.Version, result.Position, result.EventIDs, answer.Replayed
	return result.MeasurementID, nil
}

// The kinds of failures that Failures counts beside the codes of problems.
const (
	ConnectionRefused = "connection refused" // nobody listens: certainly nothing was recorded
	NothingRecorded   = "503 unavailable"
	ConnectionLost    = "connection lost"
	TimedOut          = "timed out"
)

func failure(err error) string {
	var problem *restclient.Problem
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &problem):
		return fmt.Sprintf("%d %s", problem.Status, problem.Code)
	case errors.Is(err, syscall.ECONNREFUSED):
		return ConnectionRefused
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return TimedOut
	}
	return ConnectionLost
}
