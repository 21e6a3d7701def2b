package command_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"strata.dev/strata/adapters/memory"
	"strata.dev/strata/app/command"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/refusal"
	"strata.dev/strata/domain/strategy"
)

func TestSeveralCommandsAreOneAppend(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, goal := uuid.New(), uuid.NewString()
	before, _ := w.log.Head(t.Context())
	r := w.must(w.commands.Strategies.Execute(t.Context(), w.as("author"), id,
		strategy.DraftStrategy{Frame: strategy.Frame{Name: "Plan"}},
		strategy.AddGoal{GoalID: goal, Name: "Goal"},
		strategy.AddObjective{GoalID: goal, ObjectiveID: uuid.NewString()}))
	events := w.stream(r.StreamID)
	if diff := cmp.Diff([]string{"strategy.drafted", "strategy.goal-added", "strategy.objective-added"}, types(events)); diff != "" {
		t.Fatal(diff)
	}
	want := command.Result{
		ID: id, StreamID: "strategy-" + id.String(), Version: 3, Revision: 1, Position: before + 3,
		EventIDs: []uuid.UUID{events[0].ID, events[1].ID, events[2].ID},
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
	if events[0].CommandID == uuid.Nil || events[1].CommandID != uuid.Nil {
		t.Error("the command id belongs on the first event only")
	}
	if v := events[0].ID.Version(); v != 7 {
		t.Errorf("event ids are of UUID version %d, want 7", v)
	}

	// The second of two commands is refused: nothing of the first is there.
	_, err := w.commands.Strategies.Execute(t.Context(), w.as("author"), id, addGoal(), strategy.AddGoal{GoalID: goal, Name: "Twice"})
	if err == nil || len(w.stream(r.StreamID)) != 3 {
		t.Errorf("error %v, %d events", err, len(w.stream(r.StreamID)))
	}
}

func TestMetadataSaysWhoAndWhence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.as("author")
	c.Reason, c.TraceParent, c.TraceState, c.CausationID = "because", "00-abc", "k=v", "event-1"
	began := time.Now()
	r := w.must(w.commands.Strategies.Execute(t.Context(), c, uuid.New(), strategy.DraftStrategy{Frame: strategy.Frame{Name: "Plan"}}))
	got, err := eventlog.DecodeMetadata(w.stream(r.StreamID)[0].Metadata)
	if err != nil {
		t.Fatal(err)
	}
	if at := got.OccurredAt; at == nil || at.Before(began.Add(-time.Second)) || at.After(time.Now()) {
		t.Errorf("occurredAt %v", at)
	}
	authAt := c.Principal.AuthAt.UTC().Truncate(time.Second)
	want := eventlog.Metadata{
		Actor:      eventlog.Actor{Kind: eventlog.Person, ID: w.members["author"], Roles: []string{authz.Author}, AuthMethod: "bearer", AuthAt: &authAt},
		Origin:     c.Origin,
		CommandID:  c.CommandID,
		OccurredAt: got.OccurredAt, CausationID: "event-1", CorrelationID: "correlation-1", RequestID: "request-1",
		TraceParent: "00-abc", TraceState: "k=v", Reason: "because", PolicyVersion: 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRepetitionGetsTheFirstAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, _, _ := w.draft()
	goal := addGoal()
	c := w.as("author")
	first := w.must(w.commands.Strategies.Execute(t.Context(), c, id, goal))
	w.must(w.commands.Strategies.Execute(t.Context(), w.as("author"), id, strategy.RetireGoal{GoalID: goal.GoalID, Reason: "no"}))
	want := first
	want.Replayed = true

	stale := first.Version - 1
	for name, repeat := range map[string]command.Call{
		"as it was":          c,
		"with its old match": func() command.Call { c := c; c.Expected = &stale; return c }(),
	} {
		for process, commands := range map[string]*command.Commands{"the same process": w.commands, "another process": w.process()} {
			got, err := commands.Strategies.Execute(t.Context(), repeat, id, goal)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%s, %s: %v %s", name, process, err, diff)
			}
		}
	}
	other := c
	other.Hash = slices.Concat(c.Hash[1:], []byte{1})
	_, err := w.commands.Strategies.Execute(t.Context(), other, id, goal)
	refused(t, err, eventlog.ErrCommandReused)
	_, err = w.commands.Strategies.Execute(t.Context(), other, id, addGoal()) // acceptable in itself
	refused(t, err, eventlog.ErrCommandReused)
	// Another kind of aggregate under the same key.
	c.Principal.Subject = "admin"
	_, err = w.commands.Organizations.Execute(t.Context(), c, w.org, organization.OffboardMember{MemberID: "unknown", Reason: "r"})
	refused(t, err, eventlog.ErrCommandReused)
	if n := len(w.stream(first.StreamID)); n != 5 {
		t.Errorf("%d events, want 5", n)
	}
}

// A create brings a new id each time; the answer has the first one.
func TestRepeatedCreateGivesTheFirstID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.as("author")
	draft := strategy.DraftStrategy{Frame: strategy.Frame{Name: "Plan"}}
	first := w.must(w.commands.Strategies.Execute(t.Context(), c, uuid.New(), draft))
	again := w.must(w.commands.Strategies.Execute(t.Context(), c, uuid.New(), draft))
	if again.ID != first.ID || !again.Replayed || again.Position != first.Position || again.Revision != 1 {
		t.Errorf("first %+v, again %+v", first, again)
	}
}

func TestExpectedVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, _, _ := w.draft()
	other := w.process()
	expect := func(v int64) command.Call { c := w.as("author"); c.Expected = &v; return c }

	w.must(w.commands.Strategies.Execute(t.Context(), expect(3), id, addGoal()))
	_, err := w.commands.Strategies.Execute(t.Context(), expect(3), id, addGoal())
	if f := faultOf(t, err, command.ErrStale); f.Extra["currentRevision"] != int64(4) {
		t.Errorf("currentRevision %v, want 4", f.Extra["currentRevision"])
	}
	// What the first process remembers is old now; its answer is not.
	w.must(other.Strategies.Execute(t.Context(), expect(4), id, addGoal()))
	_, err = w.commands.Strategies.Execute(t.Context(), expect(4), id, addGoal())
	if f := faultOf(t, err, command.ErrStale); f.Extra["currentRevision"] != int64(5) {
		t.Errorf("currentRevision %v, want 5", f.Extra["currentRevision"])
	}
	w.must(other.Strategies.Execute(t.Context(), expect(5), id, addGoal()))
	w.must(w.commands.Strategies.Execute(t.Context(), expect(6), id, addGoal()))
}

func TestRefusalsAreDecidedOnWhatIsThereNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, _, _ := w.draft()
	other := w.process()
	goal := addGoal()
	w.must(other.Strategies.Execute(t.Context(), w.as("author"), id, goal))
	// The first process does not remember the goal.
	w.must(w.commands.Strategies.Execute(t.Context(), w.as("author"), id,
		strategy.AddObjective{GoalID: goal.GoalID, ObjectiveID: uuid.NewString()}))

	// Nor the member enrolled elsewhere a moment ago.
	if _, err := w.commands.Strategies.Execute(t.Context(), w.as("newcomer"), id, addGoal()); !errors.Is(err, command.ErrNotMember) {
		t.Fatal(err)
	}
	w.commands, other = other, w.commands
	w.enrol("newcomer", authz.Author)
	w.must(other.Strategies.Execute(t.Context(), w.as("newcomer"), id, addGoal()))
}

func TestOnlyMembersWithTheRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, _, _ := w.draft()
	n := len(w.stream("strategy-" + id.String()))
	_, err := w.commands.Strategies.Execute(t.Context(), w.as("nobody"), id, addGoal())
	if f := faultOf(t, err, command.ErrNotMember); f.Kind != fault.Forbidden || f.Rule != "membership" {
		t.Errorf("%+v", f)
	}
	_, err = w.commands.Strategies.Execute(t.Context(), w.as("approver"), id, addGoal())
	refused(t, err, authz.ErrRole)
	operator := w.as("operator")
	operator.Principal.Operator = true
	_, err = w.commands.Strategies.Execute(t.Context(), operator, id, addGoal())
	refused(t, err, command.ErrNotMember)
	_, err = w.commands.Organizations.Execute(t.Context(), w.as("admin"), uuid.New(), organization.RegisterOrganization{})
	refused(t, err, command.ErrOperatorOnly)
	anonymous := w.as("author")
	anonymous.CommandID = uuid.Nil
	_, err = w.commands.Strategies.Execute(t.Context(), anonymous, id, addGoal())
	refused(t, err, command.ErrIncomplete)
	if got := len(w.stream("strategy-" + id.String())); got != n {
		t.Errorf("%d events, want %d", got, n)
	}
}

// Another organization's strategy, indicator and organization look like none.
func TestOtherOrganizationsDoNotExist(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, _, objective := w.draft()
	stranger := newWorldOn(t, w.log)
	stranger.commands = w.commands // which remember the strategy
	_, there := stranger.commands.Strategies.Execute(t.Context(), stranger.as("author"), id, addGoal())
	_, nowhere := stranger.commands.Strategies.Execute(t.Context(), stranger.as("author"), uuid.New(), addGoal())
	refused(t, there, refusal.NotFound)
	if there.Error() != nowhere.Error() {
		t.Errorf("%q and %q can be told apart", there, nowhere)
	}
	score := uuid.New()
	w.must(w.commands.Indicators.Execute(t.Context(), w.as("author"), score, yearly(objective, id)))
	for _, c := range []indicator.Command{target("2024", "1"), indicator.RedefineIndicator{Reason: "r"}, indicator.RetireIndicator{Reason: "r"}} {
		_, there := stranger.commands.Indicators.Execute(t.Context(), stranger.as("author"), score, c)
		_, nowhere := stranger.commands.Indicators.Execute(t.Context(), stranger.as("author"), uuid.New(), c)
		refused(t, there, refusal.NotFound)
		if there.Error() != nowhere.Error() {
			t.Errorf("%q and %q can be told apart", there, nowhere)
		}
	}
	_, err := stranger.commands.Organizations.Execute(t.Context(), stranger.as("admin"), w.org, organization.EnrolMember{})
	refused(t, err, refusal.NotFound)
	// With a token that names the organization but of somebody who is not in it.
	c := stranger.as("author")
	c.Principal.OrganizationID, c.Principal.Subject = w.org, "stranger"
	_, err = stranger.commands.Strategies.Execute(t.Context(), c, id, addGoal())
	refused(t, err, command.ErrNotMember)
	if n := len(w.stream("strategy-" + id.String())); n != 3 {
		t.Errorf("%d events, want 3", n)
	}
}

func TestUsualCommandCostsOneAppend(t *testing.T) {
	t.Parallel()
	log := &spy{Log: &memory.Log{}}
	w := newWorldOn(t, log)
	id, _, _ := w.draft()
	before := [3]int64{log.appends.Load(), log.reads.Load(), log.finds.Load()}
	for range 10 {
		w.must(w.commands.Strategies.Execute(t.Context(), w.as("author"), id, addGoal()))
	}
	after := [3]int64{log.appends.Load() - before[0], log.reads.Load() - before[1], log.finds.Load() - before[2]}
	if after != [3]int64{10, 0, 0} {
		t.Errorf("10 commands cost %d appends, %d reads and %d look-ups, want 10, 0, 0", after[0], after[1], after[2])
	}
}

// A role revoked by another process ends within MembershipAge, although the
// command itself would be acceptable on what is remembered.
func TestRoleRevokedElsewhereEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		id, _, _ := w.draft()
		other := w.process()
		w.must(other.Organizations.Execute(t.Context(), w.as("admin"), w.org, organization.OffboardMember{MemberID: w.members["author"], Reason: "left"}))
		time.Sleep(command.MembershipAge + time.Millisecond) // in the bubble's time
		_, err := w.commands.Strategies.Execute(t.Context(), w.as("author"), id, addGoal())
		refused(t, err, command.ErrNotMember)
	})
}

func TestGrantEndsWithItsTerm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		id, _, _ := w.draft()
		w.enrol("temp")
		expires := time.Now().Add(time.Hour)
		w.must(w.commands.Organizations.Execute(t.Context(), w.as("admin"), w.org, organization.GrantRole{
			GrantID: uuid.NewString(), MemberID: w.members["temp"], Role: authz.Author,
			Scope: organization.Scope{StrategyIDs: []string{id.String()}}, ExpiresAt: &expires, TicketRef: "T-2",
		}))
		w.must(w.commands.Strategies.Execute(t.Context(), w.as("temp"), id, addGoal()))
		// The grant is for that strategy only.
		_, err := w.commands.Strategies.Execute(t.Context(), w.as("temp"), uuid.New(), strategy.DraftStrategy{Frame: strategy.Frame{Name: "P"}})
		refused(t, err, authz.ErrRole)
		time.Sleep(time.Hour) // in the bubble's time
		_, err = w.commands.Strategies.Execute(t.Context(), w.as("temp"), id, addGoal())
		refused(t, err, authz.ErrRole)
	})
}

func TestLogFailuresAreAnsweredAsTheyAre(t *testing.T) {
	t.Parallel()
	log := &spy{Log: &memory.Log{}}
	w := newWorldOn(t, log)
	id, _, _ := w.draft()

	// The append fails and nothing happened.
	log.onAppend = func(int64, func() (eventlog.Receipt, error)) (eventlog.Receipt, error) {
		return eventlog.Receipt{}, eventlog.ErrUnavailable
	}
	c, goal := w.as("author"), addGoal()
	_, err := w.commands.Strategies.Execute(t.Context(), c, id, goal)
	refused(t, err, eventlog.ErrUnavailable)

	// It fails but happened.
	log.onAppend = func(_ int64, do func() (eventlog.Receipt, error)) (eventlog.Receipt, error) {
		if _, err := do(); err != nil {
			t.Error(err)
		}
		return eventlog.Receipt{}, eventlog.ErrOutcomeUnknown
	}
	_, err = w.commands.Strategies.Execute(t.Context(), c, id, goal)
	refused(t, err, eventlog.ErrOutcomeUnknown)
	log.onAppend = nil
	r := w.must(w.commands.Strategies.Execute(t.Context(), c, id, goal))
	if !r.Replayed || r.Version != 4 || len(w.stream(r.StreamID)) != 4 {
		t.Errorf("%+v, %d events", r, len(w.stream(r.StreamID)))
	}
	// The process still knows where the stream is.
	w.must(w.commands.Strategies.Execute(t.Context(), w.as("author"), id, addGoal()))

	// Nothing is guessed when the log cannot be read.
	broken := errors.New("connection refused")
	log.onRead = func() error { return eventlog.ErrUnavailable.Because(broken) }
	_, err = w.process().Strategies.Execute(t.Context(), w.as("author"), id, addGoal())
	refused(t, err, eventlog.ErrUnavailable)
	if !errors.Is(err, broken) {
		t.Errorf("the cause is lost: %v", err)
	}
}

func TestLosingForEverEnds(t *testing.T) {
	t.Parallel()
	log := &spy{Log: &memory.Log{}}
	w := newWorldOn(t, log)
	id, _, _ := w.draft()
	log.onAppend = func(int64, func() (eventlog.Receipt, error)) (eventlog.Receipt, error) {
		return eventlog.Receipt{}, &eventlog.VersionError{StreamID: "strategy-" + id.String(), Expected: 3, Actual: 4}
	}
	_, err := w.commands.Strategies.Execute(t.Context(), w.as("author"), id, addGoal())
	if f := faultOf(t, err, command.ErrContended); f.Kind != fault.Unavailable {
		t.Errorf("kind %v", f.Kind)
	}
}

func TestCallerMayGiveUp(t *testing.T) {
	t.Parallel()
	log := &spy{Log: &memory.Log{}}
	w := newWorldOn(t, log)
	id, _, _ := w.draft()
	entered, release := make(chan struct{}), make(chan struct{})
	log.onAppend = func(_ int64, do func() (eventlog.Receipt, error)) (eventlog.Receipt, error) {
		close(entered)
		<-release
		return do()
	}
	done := make(chan error)
	go func() {
		_, err := w.commands.Strategies.Execute(t.Context(), w.as("author"), id, addGoal())
		done <- err
	}()
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.commands.Strategies.Execute(ctx, w.as("author"), id, addGoal())
	refused(t, err, eventlog.ErrUnavailable)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the cause is lost: %v", err)
	}
	log.onAppend = nil
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestUndecodableStreamIsNotSkipped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := uuid.New()
	_, err := w.log.Append(t.Context(), eventlog.Command{
		ID: uuid.New(), Hash: make([]byte, 32), OrganizationID: w.org, StreamID: "strategy-" + id.String(),
		Events: []eventlog.NewEvent{{ID: uuid.New(), Type: "strategy.from-the-future", SchemaVersion: 1, Data: []byte("{}"), Metadata: []byte("{}")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.commands.Strategies.Execute(t.Context(), w.as("author"), id, addGoal())
	if err == nil || errors.Is(err, refusal.NotFound) {
		t.Errorf("got %v, want an error about the stream", err)
	}
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	fingerprint := func(method, path, body string) string {
		t.Helper()
		h, err := command.Fingerprint(method, path, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return string(h)
	}
	same := fingerprint("POST", "/v1/strategies", `{"a":1,"b":"x"}`)
	if fingerprint("POST", "/v1/strategies", "{ \"b\":\"x\",\n\"a\":1.0 }") != same {
		t.Error("form counts")
	}
	for _, other := range []string{
		fingerprint("PUT", "/v1/strategies", `{"a":1,"b":"x"}`), fingerprint("POST", "/v1/strategie", `{"a":1,"b":"x"}`), fingerprint("POST", "/v1/strategies", `{"a":1,"b":"y"}`),
		fingerprint("POST", "/v1/strategies", ""), fingerprint("POST/v1", "/strategies", `{"a":1,"b":"x"}`),
	} {
		if other == same {
			t.Error("content does not count")
		}
	}
	for _, bad := range []string{`{"a":1,"a":2}`, `{"a":`, "{}{}", "\xff"} {
		if _, err := command.Fingerprint("POST", "/", []byte(bad)); !errors.Is(err, command.ErrMalformed) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	org := uuid.New()
	ids := map[uuid.UUID]bool{}
	for _, id := range []uuid.UUID{
		command.CommandID(org, "i", "s", "k"), command.CommandID(uuid.New(), "i", "s", "k"), command.CommandID(org, "is", "", "k"),
		command.CommandID(org, "i", "sk", ""), command.CommandID(org, "i", "s", "K"),
	} {
		ids[id] = true
	}
	if len(ids) != 5 || command.CommandID(org, "i", "s", "k") != command.CommandID(org, "i", "s", "k") {
		t.Errorf("%d different ids of 5", len(ids))
	}
	if b, _ := json.Marshal(command.CommandID(uuid.Nil, "i", "s", "k")); string(b) != `"`+"83cd9efc-5388-5129-ad58-1e345ba119a0"+`"` {
		t.Errorf("command ids changed: %s; keys used before would be forgotten", b)
	}
}

// counted notes the outcome of each command.
type counted struct {
	mu  sync.Mutex
	got []string
}

func (c *counted) Command(aggregate, outcome string, attempts int, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, fmt.Sprintf("%s %s %d %v", aggregate, outcome, attempts, took >= 0))
}

func TestMetricsHearOfEveryCommand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	heard := &counted{}
	commands := command.New(command.Options{Log: w.log, Basis: basis{w.log}, Findings: w.findings(), Metrics: heard})
	id, c, goal := uuid.New(), w.as("author"), addGoal()
	w.must(commands.Strategies.Execute(t.Context(), c, id, strategy.DraftStrategy{Frame: strategy.Frame{Name: "P"}}))
	w.must(commands.Strategies.Execute(t.Context(), c, id, strategy.DraftStrategy{Frame: strategy.Frame{Name: "P"}}))
	w.must(commands.Strategies.Execute(t.Context(), w.as("author"), id, goal))
	if _, err := commands.Strategies.Execute(t.Context(), w.as("owner"), id, addGoal()); err == nil {
		t.Error("an owner may not add goals")
	}
	want := []string{"strategy recorded 1 true", "strategy replayed 2 true", "strategy recorded 1 true", "strategy forbidden 2 true"}
	if diff := cmp.Diff(want, heard.got); diff != "" {
		t.Error(diff)
	}
}

// The digest of a submission is of everything appended before it; when the read
// database cannot show that yet, nothing is submitted, and it is not asked twice.
func TestSubmissionWaitsForItsBasis(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, _, _ := w.draft()
	behind := fault.New(fault.Unavailable, "projection-behind", "later")
	b := &slowBasis{err: behind}
	commands := command.New(command.Options{Log: w.log, Basis: b, Findings: w.findings()})
	_, err := commands.Strategies.Execute(t.Context(), w.as("author"), id, strategy.SubmitStrategy{})
	refused(t, err, behind)
	head, _ := w.log.Head(t.Context())
	if diff := cmp.Diff([]int64{head}, b.asked); diff != "" {
		t.Errorf("minimum positions asked for: %s", diff)
	}
	// Who may not submit does not make the service wait.
	_, err = commands.Strategies.Execute(t.Context(), w.as("owner"), id, strategy.SubmitStrategy{})
	refused(t, err, authz.ErrRole)
	if len(b.asked) != 1 {
		t.Errorf("asked %d times", len(b.asked))
	}
}

type slowBasis struct {
	err   error
	asked []int64
}

func (b *slowBasis) IndicatorBasis(_ context.Context, _, _ uuid.UUID, minPosition int64) (string, []string, int64, error) {
	b.asked = append(b.asked, minPosition)
	return "", nil, 0, b.err
}

func (b *slowBasis) IndicatorsOf(context.Context, uuid.UUID, uuid.UUID, int64) ([]uuid.UUID, error) {
	return nil, b.err
}
