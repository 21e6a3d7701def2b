package segregation

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/source"
)

var sourceActs = []act{
	{"register", 3, (*world).registerSource},
	{"suspend", 2, (*world).suspendSource},
	{"reinstate", 3, (*world).reinstateSource},
	{"reject", 1, (*world).rejectIngest},
}

func (w *world) supply(r *rand.Rand, name, id string, call command.Call, c source.Command) error {
	return w.attempt(r, name, call, func(p *command.Commands, call command.Call) error {
		_, err := p.Sources.Execute(w.ctx, call, uuid.MustParse(id), c)
		return err
	})
}

// supplying is a call of a source, mostly of one that may write the indicator.
func (w *world) supplying(r *rand.Rand, indicatorID string) command.Call {
	id := pick(r, w.ledger.sources, func(s *supplier) bool { _, ok := s.allowed[indicatorID]; return ok })
	if id == "" || odds(r, 15) {
		id = pick(r, w.ledger.sources, nil)
	}
	c := w.call(command.SourcePrincipal(w.org, uuid.MustParse(id)))
	c.Origin.Kind, c.Origin.SourceID = "amqp", id
	return c
}

// allowing picks some indicators, some of them also over what persons wrote.
func (w *world) allowing(r *rand.Rand) (all []source.Allowed) {
	for _, id := range slices.Sorted(maps.Keys(w.ledger.indicators)) {
		if odds(r, 60) {
			all = append(all, source.Allowed{IndicatorID: id, Override: odds(r, 30)})
		}
	}
	return all
}

func (w *world) registerSource(r *rand.Rand) error {
	if len(w.ledger.indicators) == 0 {
		return w.define(r)
	}
	id := w.newID()
	key := sha256.Sum256([]byte(id))
	by := w.with(r, authz.DataSteward, "")
	return w.supply(r, "register-source", id, w.as(r, by), source.RegisterSource{
		Name: "Agency", System: "s", Channel: source.AMQP, StewardID: by, MaxRatePerMin: 60,
		PublicKey: base64.StdEncoding.EncodeToString(key[:]), AllowedIndicators: w.allowing(r),
	})
}

func (w *world) suspendSource(r *rand.Rand) error {
	id := pick(r, w.ledger.sources, func(s *supplier) bool { return s.active })
	if id == "" {
		return w.registerSource(r)
	}
	call := w.as(r, w.with(r, authz.DataSteward, ""))
	if odds(r, 30) {
		call = w.call(command.ProcessPrincipal(w.org, "ingest"))
	}
	return w.supply(r, "suspend-source", id, call, source.SuspendSource{Reason: "r"})
}

func (w *world) reinstateSource(r *rand.Rand) error {
	id := pick(r, w.ledger.sources, func(s *supplier) bool { return !s.active })
	if id == "" {
		return w.suspendSource(r)
	}
	c := source.ReinstateSource{Reason: "r"}
	if odds(r, 60) {
		c.AllowedIndicators = w.allowing(r)
	}
	return w.supply(r, "reinstate-source", id, w.as(r, w.with(r, authz.DataSteward, "")), c)
}

func (w *world) rejectIngest(r *rand.Rand) error {
	id := pick(r, w.ledger.sources, nil)
	if id == "" {
		return w.registerSource(r)
	}
	by := w.call(command.SourcePrincipal(w.org, uuid.MustParse(id)))
	switch {
	case odds(r, 20):
		by = w.call(command.SourcePrincipal(w.org, uuid.MustParse(pick(r, w.ledger.sources, nil))))
	case odds(r, 20):
		by = w.as(r, w.with(r, authz.DataSteward, ""))
	}
	sum := sha256.Sum256([]byte(id))
	return w.supply(r, "reject-ingest", id, by, source.RejectIngest{
		MessageID: w.newID(), PayloadSHA256: hex.EncodeToString(sum[:]), Size: 2, Code: source.Codes()[r.IntN(len(source.Codes()))], Detail: "d",
	})
}
