package ingest_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/memory"
	"strata.dev/strata/app/command"
	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/ingest"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/source"
	"strata.dev/strata/domain/strategy"
)

const issuer = "https://issuer.test"

// log is a log that can fail at the n-th append: before it, or after it, when the
// events are there and nobody is told.
type log struct {
	*memory.Log
	mu     sync.Mutex
	before int // appends until the one that is not made; 0 = none
	after  int // appends until the one whose answer is lost; 0 = none
}

func (l *log) Append(ctx context.Context, c eventlog.Command) (eventlog.Receipt, error) {
	l.mu.Lock()
	l.before--
	l.after--
	before, after := l.before == 0, l.after == 0
	l.mu.Unlock()
	if before {
		return eventlog.Receipt{}, eventlog.ErrUnavailable
	}
	r, err := l.Log.Append(ctx, c)
	if after {
		return eventlog.Receipt{}, eventlog.ErrOutcomeUnknown
	}
	return r, err
}

func (l *log) failing(before, after int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.before, l.after = before, after
}

// world is an organization with a source and indicators.
type world struct {
	t          testing.TB
	log        *log
	store      *memory.Imports
	inbox      *memory.Inbox
	commands   *command.Commands
	intake     *ingest.Intake
	clock      time.Time
	org        uuid.UUID
	members    map[string]string
	source     uuid.UUID
	key        ed25519.PrivateKey
	indicators []uuid.UUID // the source may write all but the last; it calls the first "un.8.1.1"
	rejected   map[string]int
	mu         sync.Mutex
}

func newWorld(t testing.TB) *world { return newWorldOf(t, 4, 600) }

func newWorldOf(t testing.TB, indicators, perMinute int) *world {
	t.Helper()
	w := &world{
		t: t, log: &log{Log: &memory.Log{}}, store: &memory.Imports{}, inbox: &memory.Inbox{}, org: uuid.New(), source: uuid.New(),
		members: map[string]string{}, rejected: map[string]int{}, clock: time.Now(),
	}
	w.restart()
	first := func(name string) organization.FirstMember {
		w.members[name] = uuid.NewString()
		return organization.FirstMember{
			MemberID: w.members[name], SubjectID: uuid.NewString(), Issuer: issuer,
			ExternalIDHash: organization.IdentityHash(w.org.String(), issuer, name), GrantID: uuid.NewString(),
		}
	}
	operator := w.as("operator")
	operator.Principal = command.Principal{Issuer: issuer, Subject: "operator", Operator: true}
	w.must(w.commands.Organizations.Execute(t.Context(), operator, w.org, organization.RegisterOrganization{
		Name: "Examples Ltd", Administrator: first("admin"), ComplianceOfficer: first("officer"),
	}))
	w.enrol("author", authz.Author)
	w.enrol("owner", authz.IndicatorOwner)
	w.enrol("steward", authz.DataSteward)
	w.define(indicators)
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	w.key = private
	var allowed []source.Allowed
	for _, id := range w.indicators[:len(w.indicators)-1] {
		allowed = append(allowed, source.Allowed{IndicatorID: id.String()})
	}
	w.must(w.commands.Sources.Execute(t.Context(), w.as("steward"), w.source, source.RegisterSource{
		Name: "Statistics", System: "sdg", Channel: source.HTTP, StewardID: w.members["steward"], PublicKey: base64.StdEncoding.EncodeToString(public),
		AllowedIndicators: allowed, MaxRatePerMin: perMinute,
	}))
	return w
}

// restart is another process on the same log and inbox.
func (w *world) restart() {
	w.commands = command.New(command.Options{Log: w.log, Imports: w.store, Findings: &memory.FindingIndex{Log: w.log.Log}})
	w.intake = ingest.New(ingest.Options{
		Commands: w.commands, Log: w.log, Inbox: w.inbox, Clock: func() time.Time { return w.clock }, Metrics: metrics{w},
	})
}

type metrics struct{ *world }

func (m metrics) Received(string)       {}
func (m metrics) Settled(int, int, int) {}
func (m metrics) Rejected(code string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rejected[code]++
}

func (w *world) must(r command.Result, err error) command.Result {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) as(name string) command.Call {
	key := uuid.NewString()
	hash := sha256.Sum256([]byte(key))
	return command.Call{
		Principal: command.Principal{OrganizationID: w.org, Issuer: issuer, Subject: name, AuthMethod: "bearer", AuthAt: time.Now()},
		CommandID: command.CommandID(w.org, issuer, name, key), Hash: hash[:], Origin: eventlog.Origin{Kind: "api", Channel: "http"},
	}
}

func (w *world) enrol(name, role string) {
	w.t.Helper()
	w.members[name] = uuid.NewString()
	w.must(w.commands.Organizations.Execute(w.t.Context(), w.as("admin"), w.org, organization.EnrolMember{
		MemberID: w.members[name], SubjectID: uuid.NewString(), Issuer: issuer, Kind: organization.Person,
		ExternalIDHash: organization.IdentityHash(w.org.String(), issuer, name),
	}, organization.GrantRole{
		GrantID: uuid.NewString(), MemberID: w.members[name], Role: role, Scope: organization.Scope{All: true}, TicketRef: "T-1",
	}))
}

func (w *world) define(n int) {
	w.t.Helper()
	strategyID, goal, objective := uuid.New(), uuid.NewString(), uuid.NewString()
	w.must(w.commands.Strategies.Execute(w.t.Context(), w.as("author"), strategyID,
		strategy.DraftStrategy{Frame: strategy.Frame{Name: "Plan"}},
		strategy.AddGoal{GoalID: goal, Name: "Goal"}, strategy.AddObjective{GoalID: goal, ObjectiveID: objective, Name: "Objective"}))
	for i := range n {
		d := indicator.Definition{
			Name: fmt.Sprint("Score ", i), Unit: "percent", Type: indicator.Quantitative, Direction: indicator.AtLeast, Frequency: calendar.Year,
			Dimensions: []indicator.Dimension{{Name: "sex", Values: []string{"female", "male"}}},
		}
		if i == 0 {
			d.ExternalRefs = []indicator.ExternalRef{{SourceID: w.source.String(), Ref: "un.8.1.1"}}
		}
		id := uuid.New()
		w.indicators = append(w.indicators, id)
		w.must(w.commands.Indicators.Execute(w.t.Context(), w.as("author"), id,
			indicator.DefineIndicator{StrategyID: strategyID.String(), ObjectiveID: objective, Definition: d}))
	}
}

// message is a signed message of the source.
func (w *world) message(id, body string) ingest.Message {
	return w.signed(ingest.Message{
		OrganizationID: w.org, SourceID: w.source, MessageID: id, Kind: ingest.HTTP, Channel: "http", Body: []byte(body),
	})
}

func (w *world) signed(m ingest.Message) ingest.Message {
	m.Signature = ingest.Sign(w.key, m.SourceID.String(), m.MessageID, m.Body)
	return m
}

// item is a measurement of an indicator in a year, with more members.
func (w *world) item(n, year int, value string, more ...string) string {
	return item(w.indicators[n].String(), year, `"value":`+value, more...)
}

func item(ref string, year int, value string, more ...string) string {
	s := fmt.Sprintf(`{"indicatorRef":%q,"period":{"start":"%04d-01-01","end":"%04d-12-31"},%s`, ref, year, year, value)
	for _, m := range more {
		s += "," + m
	}
	return s + "}"
}

func list(items ...string) string {
	s := ""
	for i, item := range items {
		if i > 0 {
			s += ","
		}
		s += item
	}
	return `{"measurements":[` + s + `]}`
}

func (w *world) take(m ingest.Message) ingest.Answer {
	w.t.Helper()
	a, err := w.intake.Take(w.t.Context(), m)
	if err != nil || !a.Settled {
		w.t.Fatalf("%+v, %v", a, err)
	}
	return a
}

// live are the living values of an indicator, by key, as they were written.
func (w *world) live(n int) map[string]string {
	w.t.Helper()
	values := map[string]string{}
	for _, m := range fold[indicator.State, indicator.Event](w, "indicator-"+w.indicators[n].String(), indicator.State.Apply).Measurements() {
		values[indicator.Key(m.Period, m.Dims)] = m.OriginalText + m.Descriptor
	}
	return values
}

// recorded are the events of a stream.
func (w *world) recorded(stream string) (bodies []any, metadata []eventlog.Metadata) {
	w.t.Helper()
	events, err := w.log.ReadStream(w.t.Context(), w.org, stream, 0, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range events {
		body, err := eventcodec.Decode(e.Type, e.SchemaVersion, e.Data)
		if err != nil {
			w.t.Fatal(err)
		}
		m, err := eventlog.DecodeMetadata(e.Metadata)
		if err != nil {
			w.t.Fatal(err)
		}
		bodies, metadata = append(bodies, body), append(metadata, m)
	}
	return bodies, metadata
}

// rejections are what the source's stream says was refused.
func (w *world) rejections() (all []source.IngestRejected, metadata []eventlog.Metadata) {
	w.t.Helper()
	bodies, facts := w.recorded("source-" + w.source.String())
	for i, b := range bodies {
		if r, ok := b.(source.IngestRejected); ok {
			all, metadata = append(all, r), append(metadata, facts[i])
		}
	}
	return all, metadata
}

func (w *world) head() int64 {
	w.t.Helper()
	n, err := w.log.Head(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

func asJSON(v any) string {
	b, _ := json.Marshal(v) // structs of texts and numbers
	return string(b)
}

// fold gives the state of a stream.
func fold[S, E any](w *world, stream string, apply func(S, fact.Actor, E) S) (s S) {
	w.t.Helper()
	bodies, facts := w.recorded(stream)
	for i, b := range bodies {
		s = apply(s, fact.Actor{ID: facts[i].Actor.ID, Kind: fact.Kind(facts[i].Actor.Kind)}, b.(E))
	}
	return s
}

func parseID(t testing.TB, s string) uuid.UUID {
	t.Helper()
	id, err := uuid.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// registerAMQP registers a source that sends by its queue.
func (w *world) registerAMQP() {
	w.t.Helper()
	var allowed []source.Allowed
	for _, id := range w.indicators {
		allowed = append(allowed, source.Allowed{IndicatorID: id.String()})
	}
	public := base64.StdEncoding.EncodeToString(w.key.Public().(ed25519.PublicKey))
	w.must(w.commands.Sources.Execute(w.t.Context(), w.as("steward"), w.source, source.RegisterSource{
		Name: "Registers", System: "registers", Channel: source.AMQP, StewardID: w.members["steward"], PublicKey: public,
		AllowedIndicators: allowed, MaxRatePerMin: 6000,
	}))
}
