package command_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/severity"
	"strata.dev/strata/domain/source"
)

func (w *world) feed(c command.Call, id uuid.UUID, commands ...source.Command) error {
	w.t.Helper()
	_, err := w.commands.Sources.Execute(w.t.Context(), c, id, commands...)
	return err
}

func publicKey() string {
	return base64.StdEncoding.EncodeToString(make([]byte, ed25519.PublicKeySize))
}

// registry is a source whose steward is the world's steward.
func (w *world) registry(allowed ...source.Allowed) source.RegisterSource {
	return source.RegisterSource{
		Name: "Statistics", System: "Registry", Channel: source.HTTP, StewardID: w.members["steward"], PublicKey: publicKey(),
		AllowedIndicators: allowed, MaxRatePerMin: 60,
	}
}

func (w *world) register(allowed ...source.Allowed) uuid.UUID {
	w.t.Helper()
	if w.members["steward"] == "" {
		w.enrol("steward", authz.DataSteward)
	}
	id := uuid.New()
	if err := w.feed(w.as("steward"), id, w.registry(allowed...)); err != nil {
		w.t.Fatal(err)
	}
	return id
}

// refusedFor is refusedAs for a source, and says what for.
func refusedFor(t testing.TB, what string, err error, f *fault.Fault, reason string) {
	t.Helper()
	refusedAs(t, what, err, f)
	if got, _ := errors.AsType[*fault.Fault](err); got.Extra["reason"] != reason {
		t.Fatalf("%s: refused for %v, want %s", what, got.Extra["reason"], reason)
	}
}

func TestSourcesHaveAStewardAndIndicatorsThatAreThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enrol("steward", authz.DataSteward)
	w.enrol("gone", authz.DataSteward)
	w.must(w.govern(w.as("admin"), organization.OffboardMember{MemberID: w.members["gone"], Reason: "left"}))
	score := w.scores(1)[0]
	with := func(change func(*source.RegisterSource)) source.RegisterSource {
		c := w.registry(source.Allowed{IndicatorID: score.String()})
		change(&c)
		return c
	}
	id := uuid.New()
	for what, c := range map[string]struct {
		by      string
		command source.Command
		refused *fault.Fault
	}{
		"by an author":               {"author", with(func(*source.RegisterSource) {}), authz.ErrRole},
		"with an author for steward": {"steward", with(func(c *source.RegisterSource) { c.StewardID = w.members["author"] }), source.ErrSteward},
		"with one who left":          {"steward", with(func(c *source.RegisterSource) { c.StewardID = w.members["gone"] }), source.ErrSteward},
		"with a stranger":            {"steward", with(func(c *source.RegisterSource) { c.StewardID = uuid.NewString() }), source.ErrSteward},
		"with a role that somebody claims": {"steward", with(func(c *source.RegisterSource) {
			c.StewardID, c.StewardRoles = w.members["author"], []string{authz.DataSteward}
		}), source.ErrSteward},
		"for an indicator that is nowhere": {"steward", with(func(c *source.RegisterSource) {
			c.AllowedIndicators = []source.Allowed{{IndicatorID: uuid.NewString()}}
		}), source.ErrIndicator},
	} {
		refusedAs(t, what, w.feed(w.as(c.by), id, c.command), c.refused)
	}
	if err := w.feed(w.as("steward"), id, with(func(*source.RegisterSource) {})); err != nil {
		t.Fatal(err)
	}
	s, err := w.commands.Sources.State(t.Context(), w.org, id)
	if err != nil || s.ID != id.String() || s.Status != source.Active || s.StewardID != w.members["steward"] {
		t.Errorf("registered: %+v, %v", s, err)
	}
	if other := newWorldOn(t, w.log); true {
		if s, err := other.commands.Sources.State(t.Context(), other.org, id); err != nil || s.Registered() {
			t.Errorf("another organization sees %+v, %v", s, err)
		}
	}
	if err := w.feed(w.as("steward"), id, source.SuspendSource{Reason: "r"}); err != nil {
		t.Fatal(err)
	}
	refusedAs(t, "reinstated for what is nowhere", w.feed(w.as("steward"), id, source.ReinstateSource{
		Reason: "r", AllowedIndicators: []source.Allowed{{IndicatorID: uuid.NewString()}},
	}), source.ErrIndicator)
	refusedAs(t, "reinstated by a process", w.feed(w.breachProcess(), id, source.ReinstateSource{Reason: "r"}), authz.ErrRole)

	// What is wrong with a source is answered for by its steward.
	found := uuid.New()
	if err := w.find(w.breachProcess(), found, raise(severity.Low, about("source", id))); err != nil {
		t.Fatal(err)
	}
	assign := findingFor(w.members["steward"])
	if err := w.find(w.breachProcess(), found, assign); err != nil {
		t.Fatal(err)
	}
	if err := w.find(w.as("steward"), found, planned()); err != nil {
		t.Error(err)
	}
	if err := w.find(w.as("steward"), found, done(w.proof("steward"))); err != nil {
		t.Error(err)
	}
}

// S14 through the service: what a source may write is what its own stream says now.
func TestASourceWritesWhatItsStewardAllows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	scores := w.scores(3)
	mine, trusted, foreign := scores[0], scores[1], scores[2]
	id := w.register(source.Allowed{IndicatorID: mine.String()}, source.Allowed{IndicatorID: trusted.String(), Override: true})
	sourceCall := func() command.Call { return w.machine(command.SourcePrincipal(w.org, id)) }
	write := func(c command.Call, score uuid.UUID, command indicator.Command) error {
		_, err := w.commands.Indicators.Execute(t.Context(), c, score, command)
		return err
	}
	measured := func(year int) indicator.RecordMeasurement {
		return indicator.RecordMeasurement{MeasurementID: uuid.NewString(), Period: in(year), Value: indicator.Stated{Number: "7"}}
	}
	restated := indicator.CorrectMeasurement{Period: in(2001), Value: indicator.Stated{Number: "8"}, Reason: indicator.SourceRestated}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(write(sourceCall(), mine, measured(2001)))
	m := metadataOf(t, w.last("indicator-"+mine.String()))
	if m.Actor.Kind != "source" || m.Actor.ID != id.String() || m.Actor.AuthMethod != "ed25519" || m.PolicyVersion != 1 {
		t.Errorf("the actor is %+v under policy %d", m.Actor, m.PolicyVersion)
	}
	must(write(sourceCall(), mine, restated))
	refusedFor(t, "what it may not write", write(sourceCall(), foreign, measured(2001)), indicator.ErrSource, source.NotAllowed)
	lie := measured(2001)
	lie.Source = indicator.SourceTerms{Registered: true, Allowed: true, Override: true}
	refusedFor(t, "what it says it may", write(sourceCall(), foreign, lie), indicator.ErrSource, source.NotAllowed)
	refusedAs(t, "a target", write(sourceCall(), mine, target("2001", "9")), authz.ErrRole)
	unknown := w.machine(command.SourcePrincipal(w.org, uuid.New()))
	refusedFor(t, "by one that is not registered", write(unknown, mine, measured(2002)), command.ErrSource, source.UnknownSource)
	refusedAs(t, "a finding", w.find(sourceCall(), uuid.New(), raise(severity.Low, about("indicator", mine))), authz.ErrRole)

	// What a person wrote last is protected, where the steward does not say otherwise.
	for _, score := range []uuid.UUID{mine, trusted} {
		must(write(w.as("owner"), score, measured(2003)))
	}
	again := restated
	again.Period = in(2003)
	refusedFor(t, "a person's value", write(sourceCall(), mine, again), indicator.ErrSource, source.ProtectedValue)
	lied := again
	lied.Source = lie.Source
	refusedFor(t, "a person's value, saying it may", write(sourceCall(), mine, lied), indicator.ErrSource, source.ProtectedValue)
	must(write(sourceCall(), trusted, again))
	results, err := w.commands.Indicators.RecordBatch(t.Context(), sourceCall(), []command.BatchItem{record(mine, 2004, "1"), record(foreign, 2004, "1"), correct(mine, 2003, "2")})
	must(err)
	if got := told(results); !slices.Equal(got, []string{"ok", "S14", "S14"}) {
		t.Errorf("a batch of a source: %v", got)
	}

	// The terms change with suspension and reinstatement, also if another instance does it.
	elsewhere := w.process()
	steward := func(c source.Command) {
		t.Helper()
		w.must(elsewhere.Sources.Execute(t.Context(), w.as("steward"), id, c))
	}
	steward(source.SuspendSource{Reason: "inquiry"})
	// Within MembershipAge this instance may not know of it yet; a refusal is always looked at again.
	err = write(sourceCall(), mine, measured(2010))
	if err == nil {
		err = write(sourceCall(), mine, measured(2010))
	}
	refusedFor(t, "while it is suspended", err, command.ErrSource, source.SourceSuspended)
	must(w.feed(w.machine(command.ProcessPrincipal(w.org, "ingest")), id, source.RejectIngest{
		MessageID: uuid.NewString(), PayloadSHA256: strings.Repeat("0a", 32), Code: source.SourceSuspended,
	}))
	steward(source.ReinstateSource{Reason: "over", AllowedIndicators: []source.Allowed{{IndicatorID: foreign.String()}}})
	must(write(sourceCall(), foreign, measured(2001))) // what was refused is looked at again at once
	refusedFor(t, "what it might write before", write(sourceCall(), mine, measured(2011)), indicator.ErrSource, source.NotAllowed)
}

// A service account has no terms: it may not overwrite persons, either.
func TestAServiceAccountDoesNotOverwritePersons(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	score := w.scores(1)[0]
	w.members["robot"] = uuid.NewString()
	w.must(w.commands.Organizations.Execute(t.Context(), w.as("admin"), w.org, organization.EnrolMember{
		MemberID: w.members["robot"], SubjectID: uuid.NewString(), Issuer: issuer, Kind: organization.Service,
		ExternalIDHash: organization.IdentityHash(w.org.String(), issuer, "robot"),
	}, organization.GrantRole{GrantID: uuid.NewString(), MemberID: w.members["robot"], Role: authz.Integrator, Scope: organization.Scope{All: true}}))
	results, err := w.commands.Indicators.RecordBatch(t.Context(), w.as("robot"), []command.BatchItem{record(score, 2001, "1"), correct(score, 2001, "2")})
	if err != nil {
		t.Fatal(err)
	}
	if got := told(results); !slices.Equal(got, []string{"ok", "ok"}) {
		t.Errorf("its own values: %v", got)
	}
	if results, err = w.commands.Indicators.RecordBatch(t.Context(), w.as("owner"), []command.BatchItem{correct(score, 2001, "3")}); err != nil || results[0].Err != nil {
		t.Fatal(err, results)
	}
	if results, err = w.commands.Indicators.RecordBatch(t.Context(), w.as("robot"), []command.BatchItem{correct(score, 2001, "4")}); err != nil {
		t.Fatal(err)
	}
	refusedFor(t, "a person's value", results[0].Err, indicator.ErrSource, source.ProtectedValue)
}
