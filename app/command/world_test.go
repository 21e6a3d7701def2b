package command_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"strata.dev/strata/adapters/memory"
	documents "strata.dev/strata/adapters/stratml"
	"strata.dev/strata/app/command"
	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/personal"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/strategy"
	"strata.dev/strata/tests/testenv"
)

func TestMain(m *testing.M) {
	code := testenv.Main(m)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			_, _ = os.Stderr.WriteString(err.Error() + "\n")
			code = 1
		}
	}
	os.Exit(code)
}

// world is an organization on a log, with a member for each role.
type world struct {
	t        testing.TB
	log      eventlog.Log
	commands *command.Commands
	org      uuid.UUID
	members  map[string]string // member id by name
	store    command.ImportStore
	keys     personal.Keys // nil = no key store
	made     made
}

const issuer = "https://issuer.test"

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldOn(t, &memory.Log{})
}

func newWorldOn(t testing.TB, log eventlog.Log) *world {
	t.Helper()
	w := &world{t: t, log: log, org: uuid.New(), members: map[string]string{}, store: &memory.Imports{}, made: made{}}
	w.commands = w.process()
	first := func(name string) organization.FirstMember {
		w.members[name] = uuid.NewString()
		return organization.FirstMember{
			MemberID: w.members[name], SubjectID: uuid.NewString(), Issuer: issuer,
			ExternalIDHash: organization.IdentityHash(w.org.String(), issuer, name), GrantID: uuid.NewString(),
		}
	}
	operator := call(uuid.NewString(), "operator")
	operator.Principal = command.Principal{Issuer: issuer, Subject: "operator", Operator: true}
	w.must(w.commands.Organizations.Execute(t.Context(), operator, w.org, organization.RegisterOrganization{
		Name: "Examples Ltd", Administrator: first("admin"), ComplianceOfficer: first("officer"),
	}))
	w.enrol("author", authz.Author)
	w.enrol("approver", authz.Approver)
	w.enrol("owner", authz.IndicatorOwner)
	return w
}

// process gives the commands of another process on the same log.
func (w *world) process() *command.Commands {
	return command.New(command.Options{
		Log: w.log, Basis: basis{w.log}, Findings: w.findings(), Documents: w.made, Writer: documents.Writer{}, Imports: w.store,
		Personal: w.persons(), Seals: seals{},
	})
}

// persons seals with the world's key store, if there is one.
func (w *world) persons() *personal.Sealer {
	if w.keys == nil {
		return nil
	}
	return personal.NewSealer(w.keys)
}

// newSealedWorld is newWorldOn with a key store.
func newSealedWorld(t testing.TB, log eventlog.Log) *world {
	t.Helper()
	w := newWorldOn(t, log)
	w.keys = &memory.Keys{}
	w.commands = w.process()
	return w
}

// findings looks for findings in the log.
func (w *world) findings() command.FindingIndex { return memory.FindingIndex{Log: w.log} }

func (w *world) must(r command.Result, err error) command.Result {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) enrol(name string, roles ...string) {
	w.t.Helper()
	w.members[name] = uuid.NewString()
	commands := []organization.Command{organization.EnrolMember{
		MemberID: w.members[name], SubjectID: uuid.NewString(), Issuer: issuer, Kind: organization.Person,
		ExternalIDHash: organization.IdentityHash(w.org.String(), issuer, name),
	}}
	for _, r := range roles {
		commands = append(commands, organization.GrantRole{
			GrantID: uuid.NewString(), MemberID: w.members[name], Role: r, Scope: organization.Scope{All: true}, TicketRef: "T-1",
		})
	}
	w.must(w.commands.Organizations.Execute(w.t.Context(), w.as("admin"), w.org, commands...))
}

// as is a call of a member under a new key.
func (w *world) as(name string) command.Call { return w.keyed(name, uuid.NewString()) }

// keyed is a call of a member under a key.
func (w *world) keyed(name, key string) command.Call {
	c := call(key, name)
	c.Principal = command.Principal{OrganizationID: w.org, Issuer: issuer, Subject: name, AuthMethod: "bearer", AuthAt: time.Now()}
	c.CommandID = command.CommandID(w.org, issuer, name, key)
	return c
}

// countersigned is a call of a member that another one has countersigned.
func (w *world) countersigned(name, by string) command.Call {
	c := w.as(name)
	second := w.as(by).Principal
	second.AuthAt = time.Now().Add(-3 * time.Minute)
	c.Countersignature = &command.Countersignature{
		ID: uuid.NewString(), Principal: second, Hash: c.Hash, Meaning: "I agree.", SignedAt: time.Now().Add(-time.Minute),
	}
	return c
}

func call(key, name string) command.Call {
	hash := sha256.Sum256([]byte(key))
	return command.Call{
		CommandID: command.CommandID(uuid.Nil, issuer, name, key), Hash: hash[:],
		Origin: eventlog.Origin{Kind: "api", Channel: "http"}, RequestID: "request-1", CorrelationID: "correlation-1",
	}
}

// draft makes a strategy with one goal and one objective.
func (w *world) draft() (strategyID, goalID, objectiveID uuid.UUID) {
	w.t.Helper()
	strategyID, goalID, objectiveID = uuid.New(), uuid.New(), uuid.New()
	w.must(w.commands.Strategies.Execute(w.t.Context(), w.as("author"), strategyID,
		strategy.DraftStrategy{Frame: strategy.Frame{Name: "Plan"}},
		strategy.AddGoal{GoalID: goalID.String(), Name: "Goal"},
		strategy.AddObjective{GoalID: goalID.String(), ObjectiveID: objectiveID.String(), Name: "Objective"}))
	return strategyID, goalID, objectiveID
}

func addGoal() strategy.AddGoal {
	return strategy.AddGoal{GoalID: uuid.NewString(), Name: "Another goal"}
}

// stream gives the events of one aggregate.
func (w *world) stream(id string) []eventlog.Event {
	w.t.Helper()
	events, err := w.log.ReadStream(w.t.Context(), w.org, id, 0, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return events
}

func types(events []eventlog.Event) []string {
	var all []string
	for _, e := range events {
		all = append(all, e.Type)
	}
	return all
}

// refused makes sure that err is the fault f, with its rule if it has one.
func refused(t testing.TB, err error, f *fault.Fault) {
	t.Helper()
	refusedAs(t, "", err, f)
}

func refusedAs(t testing.TB, what string, err error, f *fault.Fault) {
	t.Helper()
	if !errors.Is(err, f) {
		t.Fatalf("%s: got %v, want %v", what, err, f)
	}
}

// faultOf is refused, and gives the occurrence.
func faultOf(t testing.TB, err error, f *fault.Fault) *fault.Fault {
	t.Helper()
	refused(t, err, f)
	got, _ := errors.AsType[*fault.Fault](err)
	return got
}

// fold reads a stream from the log and folds it, without anything of package command.
func fold[S, E any](t testing.TB, log eventlog.Log, org uuid.UUID, stream string, apply func(S, fact.Actor, E) S) S {
	t.Helper()
	var s S
	events, err := log.ReadStream(t.Context(), org, stream, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		body, err := eventcodec.Decode(e.Type, e.SchemaVersion, e.Data)
		if err != nil {
			t.Fatal(err)
		}
		m, err := eventlog.DecodeMetadata(e.Metadata)
		if err != nil {
			t.Fatal(err)
		}
		s = apply(s, fact.Actor{ID: m.Actor.ID, Kind: fact.Kind(m.Actor.Kind), At: e.RecordedAt}, body.(E))
	}
	return s
}

// basis reads the indicators of a strategy from the whole log.
type basis struct{ log eventlog.Log }

func (b basis) IndicatorBasis(ctx context.Context, organizationID, strategyID uuid.UUID, minPosition int64) (string, []string, int64, error) {
	head, err := b.log.Head(ctx)
	if err != nil || head < minPosition {
		return "", nil, 0, errors.Join(err, errors.New("behind"))
	}
	events, err := b.log.Read(ctx, 0, int(head))
	if err != nil {
		return "", nil, 0, err
	}
	states := map[string]indicator.State{}
	for _, e := range events {
		if e.OrganizationID != organizationID || !strings.HasPrefix(e.StreamID, "indicator-") {
			continue
		}
		body, err := eventcodec.Decode(e.Type, e.SchemaVersion, e.Data)
		if err != nil {
			return "", nil, 0, err
		}
		m, err := eventlog.DecodeMetadata(e.Metadata)
		if err != nil {
			return "", nil, 0, err
		}
		by := fact.Actor{ID: m.Actor.ID, Kind: fact.Kind(m.Actor.Kind), At: e.RecordedAt}
		states[e.StreamID] = states[e.StreamID].Apply(by, body.(indicator.Event))
	}
	var mine []indicator.Basis
	var authors []string
	for _, s := range states {
		if s.StrategyID == strategyID.String() {
			if !s.Retired {
				mine = append(mine, s.Basis())
			}
			authors = append(authors, s.AuthorsSince(time.Time{})...)
		}
	}
	slices.Sort(authors)
	return indicator.Digest(mine), slices.Compact(authors), head, nil
}

func (b basis) IndicatorsOf(ctx context.Context, organizationID, strategyID uuid.UUID, minPosition int64) ([]uuid.UUID, error) {
	events, err := b.log.Read(ctx, 0, int(max(minPosition, 1)))
	if err != nil {
		return nil, err
	}
	states := map[string]indicator.State{}
	for _, e := range events {
		if e.OrganizationID != organizationID || !strings.HasPrefix(e.StreamID, "indicator-") {
			continue
		}
		body, err := eventcodec.Decode(e.Type, e.SchemaVersion, e.Data)
		if err != nil {
			return nil, err
		}
		states[e.StreamID] = states[e.StreamID].Apply(fact.Actor{}, body.(indicator.Event))
	}
	var ids []uuid.UUID
	for _, s := range states {
		if s.StrategyID == strategyID.String() {
			ids = append(ids, uuid.MustParse(s.ID))
		}
	}
	return ids, nil
}

// spy counts what is asked of a log, and fails it on demand.
type spy struct {
	eventlog.Log
	appends, finds, reads atomic.Int64

	onAppend func(n int64, do func() (eventlog.Receipt, error)) (eventlog.Receipt, error)
	onRead   func() error
}

func (s *spy) Append(ctx context.Context, cmd eventlog.Command) (eventlog.Receipt, error) {
	n := s.appends.Add(1)
	do := func() (eventlog.Receipt, error) { return s.Log.Append(ctx, cmd) }
	if s.onAppend != nil {
		return s.onAppend(n, do)
	}
	return do()
}

func (s *spy) FindCommand(ctx context.Context, id uuid.UUID) (eventlog.Receipt, []byte, bool, error) {
	s.finds.Add(1)
	return s.Log.FindCommand(ctx, id)
}

func (s *spy) ReadStream(ctx context.Context, organization uuid.UUID, streamID string, after int64, limit int) ([]eventlog.Event, error) {
	s.reads.Add(1)
	if s.onRead != nil {
		if err := s.onRead(); err != nil {
			return nil, err
		}
	}
	return s.Log.ReadStream(ctx, organization, streamID, after, limit)
}

func metadataOf(t testing.TB, e eventlog.Event) eventlog.Metadata {
	t.Helper()
	m, err := eventlog.DecodeMetadata(e.Metadata)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
