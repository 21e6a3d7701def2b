package source_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/internal/decidertest"
	"strata.dev/strata/domain/refusal"
	"strata.dev/strata/domain/source"
)

var decider = decidertest.Decider[source.State, source.Command, source.Event]{Decide: source.Decide, Apply: source.State.Apply}

type (
	past = decidertest.Past[source.Event]
	spec = decidertest.Case[source.Command, source.Event]
)

const (
	registry = "0198c0de-0000-7000-8000-000000000020"
	steward  = "0198c0de-0000-7000-8000-0000000000bb"
	duration = "0198c0de-0000-7000-8000-000000000030"
	backlog  = "0198c0de-0000-7000-8000-000000000031"
)

var (
	keeper  = fact.Actor{ID: steward, Kind: fact.Person, Roles: []string{authz.DataSteward}, At: at}
	process = fact.Actor{ID: "ingest", Kind: fact.Process, At: at}
	itself  = fact.Actor{ID: registry, Kind: fact.Source, At: at}
)

// key is a public key and how it is known.
func key(seed byte) (publicKey, fingerprint string) {
	bytes := ed25519.NewKeyFromSeed(slices.Repeat([]byte{seed}, ed25519.SeedSize)).Public().(ed25519.PublicKey)
	sum := sha256.Sum256(bytes)
	return base64.StdEncoding.EncodeToString(bytes), hex.EncodeToString(sum[:])
}

func terms(seed byte, rate int, allowed ...source.Allowed) source.Terms {
	t := source.Terms{AllowedIndicators: allowed, MaxRatePerMin: rate}
	t.PublicKey, t.CredentialFingerprint = key(seed)
	return t
}

func registered() past {
	return past{By: keeper, Event: source.Registered{
		SourceID: registry, Name: "Case statistics", System: "Court registry", Channel: source.HTTP, StewardID: steward,
		Terms: terms(1, 60, source.Allowed{IndicatorID: duration}),
	}}
}

func suspended() past {
	return past{By: process, Event: source.StatusChanged{From: source.Active, To: source.Suspended, Reason: "too many rejections"}}
}

func TestRegistering(t *testing.T) {
	good := source.RegisterSource{
		SourceID: registry, Name: "Case statistics", System: "Court registry", Channel: source.HTTP, StewardID: steward, MaxRatePerMin: 60,
		AllowedIndicators: []source.Allowed{{IndicatorID: backlog, Override: true}, {IndicatorID: duration}}, StewardRoles: []string{authz.DataSteward},
	}
	good.PublicKey, _ = key(1)
	with := func(change func(*source.RegisterSource)) source.RegisterSource {
		c := good
		change(&c)
		return c
	}
	then := source.Registered{
		SourceID: registry, Name: "Case statistics", System: "Court registry", Channel: source.HTTP, StewardID: steward,
		Terms: terms(1, 60, source.Allowed{IndicatorID: duration}, source.Allowed{IndicatorID: backlog, Override: true}),
	}
	decider.Run(t, []spec{
		{Name: "with the fingerprint of its key, and indicators in order", By: keeper, When: good, Then: []source.Event{then}},
		{Name: "once", Given: []past{registered()}, By: keeper, When: good, Refused: source.ErrRegistered},
		{Name: "by a process", By: process, When: good, Refused: authz.ErrRole},
		{Name: "by an author", By: author, When: good, Refused: authz.ErrRole},
		{Name: "with a steward who is none", By: keeper, When: with(func(c *source.RegisterSource) { c.StewardRoles = []string{authz.Author} }), Refused: source.ErrSteward},
		{Name: "with a steward who is nobody", By: keeper, When: with(func(c *source.RegisterSource) { c.StewardRoles = nil }), Refused: source.ErrSteward},
		{Name: "for an indicator that is not there", By: keeper, When: with(func(c *source.RegisterSource) { c.UnknownIndicators = []string{duration} }), Refused: source.ErrIndicator},
		{Name: "without a key", By: keeper, When: with(func(c *source.RegisterSource) { c.PublicKey = "" }), Refused: refusal.Invalid},
		{Name: "with half a key", By: keeper, When: with(func(c *source.RegisterSource) { c.PublicKey = base64.StdEncoding.EncodeToString(make([]byte, 16)) }), Refused: refusal.Invalid},
		{Name: "with a key in hexadecimal", By: keeper, When: with(func(c *source.RegisterSource) { c.PublicKey = strings.Repeat("0a", 32) }), Refused: refusal.Invalid},
		{Name: "with a key and what follows it", By: keeper, When: with(func(c *source.RegisterSource) { c.PublicKey += "\n" }), Refused: refusal.Invalid},
		{Name: "on an unknown channel", By: keeper, When: with(func(c *source.RegisterSource) { c.Channel = "mqtt" }), Refused: refusal.Invalid},
		{Name: "at no rate", By: keeper, When: with(func(c *source.RegisterSource) { c.MaxRatePerMin = 0 }), Refused: refusal.Invalid},
		{Name: "at any rate", By: keeper, When: with(func(c *source.RegisterSource) { c.MaxRatePerMin = source.MaxRate + 1 }), Refused: refusal.Invalid},
		{Name: "for an indicator twice", By: keeper, When: with(func(c *source.RegisterSource) {
			c.AllowedIndicators = []source.Allowed{{IndicatorID: duration}, {IndicatorID: duration, Override: true}}
		}), Refused: refusal.Invalid},
		{Name: "for everything", By: keeper, When: with(func(c *source.RegisterSource) { c.AllowedIndicators = make([]source.Allowed, source.MaxAllowed+1) }), Refused: refusal.Invalid},
	})
	s := decider.Fold([]past{{By: keeper, Event: then}})
	if !s.Registered() || s.Status != source.Active {
		t.Errorf("the state is %+v", s)
	}
	for id, want := range map[string][2]bool{duration: {true, false}, backlog: {true, true}, registry: {false, false}} {
		if allowed, override := s.Allows(id); allowed != want[0] || override != want[1] {
			t.Errorf("%s: allowed %v, override %v; want %v", id, allowed, override, want)
		}
	}
}

func TestSuspendingAndReinstating(t *testing.T) {
	suspend := source.SuspendSource{Reason: "the key was lost"}
	off := source.StatusChanged{From: source.Active, To: source.Suspended, Reason: "the key was lost"}
	reinstate := source.ReinstateSource{Reason: "a new key"}
	on := source.StatusChanged{From: source.Suspended, To: source.Active, Reason: "a new key"}
	rekeyed := reinstate
	rekeyed.PublicKey, _ = key(2)
	same := reinstate
	same.PublicKey, _ = key(1)
	before, after := terms(1, 60, source.Allowed{IndicatorID: duration}), terms(2, 60, source.Allowed{IndicatorID: duration})
	onRekeyed := on
	onRekeyed.OldTerms, onRekeyed.Terms = &before, &after
	wider := reinstate
	wider.AllowedIndicators, wider.MaxRatePerMin = []source.Allowed{{IndicatorID: backlog}}, 90
	wide := terms(1, 90, source.Allowed{IndicatorID: backlog})
	onWider := on
	onWider.OldTerms, onWider.Terms = &before, &wide
	unknown := wider
	unknown.UnknownIndicators = []string{backlog}
	nonsense := reinstate
	nonsense.PublicKey = "AAAA"
	given, held := []past{registered()}, []past{registered(), suspended()}
	decider.Run(t, []spec{
		{Name: "suspended by its steward", Given: given, By: keeper, When: suspend, Then: []source.Event{off}},
		{Name: "suspended by a process", Given: given, By: process, When: suspend, Then: []source.Event{off}},
		{Name: "suspended by itself", Given: given, By: itself, When: suspend, Refused: authz.ErrRole},
		{Name: "suspended for no reason", Given: given, By: keeper, When: source.SuspendSource{}, Refused: refusal.Invalid},
		{Name: "suspended twice", Given: held, By: keeper, When: suspend, Refused: source.ErrSuspended},
		{Name: "suspended before it is there", By: keeper, When: suspend, Refused: source.ErrNotRegistered},
		{Name: "reinstated as it was", Given: held, By: keeper, When: reinstate, Then: []source.Event{on}},
		{Name: "reinstated with the key it had", Given: held, By: keeper, When: same, Then: []source.Event{on}},
		{Name: "reinstated with another key", Given: held, By: keeper, When: rekeyed, Then: []source.Event{onRekeyed}},
		{Name: "reinstated with other indicators", Given: held, By: keeper, When: wider, Then: []source.Event{onWider}},
		{Name: "reinstated for what is not there", Given: held, By: keeper, When: unknown, Refused: source.ErrIndicator},
		{Name: "reinstated with nonsense for a key", Given: held, By: keeper, When: nonsense, Refused: refusal.Invalid},
		{Name: "reinstated by a process", Given: held, By: process, When: reinstate, Refused: authz.ErrRole},
		{Name: "terms changed while it is active", Given: given, By: keeper, When: rekeyed, Refused: source.ErrActive},
		{Name: "reinstated before it is there", By: keeper, When: reinstate, Refused: source.ErrNotRegistered},
	})
	s := decider.Fold(append(held[:2:2], past{By: keeper, Event: onRekeyed}))
	if _, want := key(2); s.Status != source.Active || s.Terms.CredentialFingerprint != want {
		t.Errorf("after reinstatement it is %s and known as %s", s.Status, s.Terms.CredentialFingerprint)
	}
}

func TestRejecting(t *testing.T) {
	reject := source.RejectIngest{MessageID: first, SourceMessageID: "2026-03-01/7", PayloadSHA256: strings.Repeat("0a", 32), Size: 3, Code: source.NotAllowed}
	invented := reject
	invented.Code = "tired"
	other := itself
	other.ID = second
	given := []past{registered()}
	decider.Run(t, []spec{
		{Name: "by a process", Given: given, By: process, When: reject, Then: []source.Event{source.IngestRejected(reject)}},
		{Name: "by itself", Given: given, By: itself, When: reject, Then: []source.Event{source.IngestRejected(reject)}},
		{Name: "while it is suspended", Given: []past{registered(), suspended()}, By: process, When: reject, Then: []source.Event{source.IngestRejected(reject)}},
		{Name: "by another source", Given: given, By: other, When: reject, Refused: source.ErrOtherSource},
		{Name: "by its steward", Given: given, By: keeper, When: reject, Refused: authz.ErrRole},
		{Name: "by who may import", Given: given, By: author, When: reject, Refused: authz.ErrRole},
		{Name: "for a reason that is none", Given: given, By: process, When: invented, Refused: refusal.Invalid},
		{Name: "of a source that is not there", By: process, When: reject, Refused: source.ErrNotRegistered},
	})
	for _, code := range source.Codes() {
		c := reject
		c.Code = code
		if _, err := source.Decide(decider.Fold(given), process, c); err != nil {
			t.Errorf("%s: %v", code, err)
		}
	}
}

func TestRejectionsOfTheLastHourAreCounted(t *testing.T) {
	rejected := func(after time.Duration, message string, item int) past {
		by := process
		by.At = at.Add(after)
		return past{By: by, Event: source.IngestRejected{MessageID: message, Code: source.Malformed, Item: item}}
	}
	history := []past{
		registered(), rejected(0, first, 0), rejected(10*time.Second, second, 0),
		// Three measurements of one message count as the message they came in.
		rejected(30*time.Minute, third, 1), rejected(30*time.Minute, third, 4), rejected(30*time.Minute, third, 9),
		rejected(59*time.Minute, first, 0),
	}
	s := decider.Fold(history)
	for after, want := range map[time.Duration]int{
		0: 2, 29 * time.Minute: 2, 30 * time.Minute: 3, 59 * time.Minute: 4, 60 * time.Minute: 2, 89 * time.Minute: 2, 90 * time.Minute: 1, 3 * time.Hour: 0,
	} {
		if got := s.Rejections(at.Add(after)); got != want {
			t.Errorf("%v later %d rejections count, want %d", after, got, want)
		}
	}
	again := decider.Fold(append(history, suspended(), past{By: keeper, Event: source.StatusChanged{From: source.Suspended, To: source.Active, Reason: "r"}}))
	if n := again.Rejections(at.Add(59 * time.Minute)); n != 0 {
		t.Errorf("%d rejections count after the source was reinstated", n)
	}
	// What was remembered before is not changed by what came later.
	early := decider.Fold(history[:3])
	late := early
	for range 3 {
		late = late.Apply(process, source.IngestRejected{MessageID: second, Code: source.Malformed})
	}
	if early.Rejections(at) != 2 || late.Rejections(at) != 5 {
		t.Errorf("%d and %d rejections count, want 2 and 5", early.Rejections(at), late.Rejections(at))
	}
}
