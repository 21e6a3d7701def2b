package process

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/process"
	"strata.dev/strata/domain/source"
	"strata.dev/strata/domain/strategy"
)

// rememberedEvents bounds what facts keep of streams, in events folded.
const rememberedEvents = 100_000

// reader gives aggregates as the log has them. Within a round, which ends with
// forget, each is read at most once: what is decided between two steps rests on
// one look at the log. From round to round only what was added to a stream is
// read. Not safe for concurrent use.
type reader struct {
	log   Log
	clock func() time.Time

	known  map[string]folded // by organization and stream
	events int64             // folded into them
	fresh  map[string]bool   // looked at in this round
	head   int64             // of the log when first asked in this round; 0 = not asked
}

// folded is a stream's state at a version.
type folded struct {
	state   any
	version int64
}

func newReader(log Log, clock func() time.Time) *reader {
	return &reader{log: log, clock: clock, known: map[string]folded{}, fresh: map[string]bool{}}
}

// forget makes the next question look at the log anew: a batch begins, or a
// step was taken.
func (r *reader) forget() {
	clear(r.fresh)
	r.head = 0
}

// upTo is the position that a read database must have reached to answer: the
// end of the log, so that what was recorded by the step before is in it.
func (r *reader) upTo(ctx context.Context) (int64, error) {
	if r.head == 0 {
		head, err := r.log.Head(ctx)
		if err != nil {
			return 0, fmt.Errorf("head of the log: %w", err)
		}
		r.head = head
	}
	return r.head, nil
}

// fold reads what was added to a stream and folds it with apply, which is given
// each event also as it was recorded.
func fold[S, E any](ctx context.Context, r *reader, organizationID uuid.UUID, kind, id string, apply func(S, fact.Actor, E, eventlog.Event) S) (state S, err error) {
	stream := kind + "-" + id
	key := organizationID.String() + "/" + stream
	have := r.known[key]
	state, _ = have.state.(S) // zero if the stream is new to us
	if r.fresh[key] {
		return state, nil
	}
	events, err := r.log.ReadStream(ctx, organizationID, stream, have.version, 0)
	if err != nil {
		return state, fmt.Errorf("read %s: %w", stream, err)
	}
	version := have.version
	for _, e := range events {
		body, by, err := decode(e)
		if err != nil {
			return state, fmt.Errorf("read %s: version %d: %w", stream, e.Version, err)
		}
		event, ok := body.(E)
		if !ok {
			return state, unreadable{fmt.Errorf("read %s: version %d: %s is no event of this aggregate", stream, e.Version, e.Type)}
		}
		state, version = apply(state, by, event, e), e.Version
	}
	r.remember(key, folded{state, version}, version-have.version)
	return state, nil
}

func (r *reader) remember(key string, f folded, added int64) {
	if r.events += added; r.events > rememberedEvents {
		clear(r.known)
		clear(r.fresh)
		r.events = f.version
	}
	r.known[key], r.fresh[key] = f, true
}

// decode gives an event's body and who made it.
func decode(e eventlog.Event) (body any, by fact.Actor, err error) {
	body, err = eventcodec.Decode(e.Type, e.SchemaVersion, e.Data)
	if errors.Is(err, eventcodec.ErrMalformed) {
		err = unreadable{err}
	}
	if err != nil {
		return nil, by, err
	}
	m, err := eventlog.DecodeMetadata(e.Metadata)
	if err != nil {
		return nil, by, unreadable{err}
	}
	return body, fact.Actor{ID: m.Actor.ID, Kind: fact.Kind(m.Actor.Kind), Roles: m.Actor.Roles, At: e.RecordedAt.UTC()}, nil
}

// unreadable is an event that no other attempt will make readable: it is poison
// to the consumer group, which parks its stream. An event of a type that this
// release does not know is none: a newer release reads it.
type unreadable struct{ error }

func (e unreadable) Unwrap() error { return e.error }

// Poison marks the error for the consumer group.
func (unreadable) Poison() bool { return true }

func (r *reader) organization(ctx context.Context, organizationID uuid.UUID) (organization.State, error) {
	return fold(ctx, r, organizationID, "organization", organizationID.String(),
		func(s organization.State, by fact.Actor, e organization.Event, _ eventlog.Event) organization.State {
			return s.Apply(by, e)
		})
}

func (r *reader) indicator(ctx context.Context, organizationID uuid.UUID, id string) (process.Indicator, error) {
	return fold(ctx, r, organizationID, "indicator", id, func(s process.Indicator, by fact.Actor, e indicator.Event, at eventlog.Event) process.Indicator {
		s.State = s.Apply(by, e)
		if e, ok := e.(indicator.HealthChanged); ok && e.To == indicator.OffTrack {
			s.OffTrackAt = at.Position
		}
		return s
	})
}

func (r *reader) strategy(ctx context.Context, organizationID uuid.UUID, id string) (process.Strategy, error) {
	return fold(ctx, r, organizationID, "strategy", id, func(s process.Strategy, by fact.Actor, e strategy.Event, at eventlog.Event) process.Strategy {
		s.State = s.Apply(by, e)
		switch e := e.(type) {
		case strategy.Activated:
			if s.InForceAt == 0 {
				s.InForceAt, s.ActiveSince = at.Position, at.RecordedAt.UTC()
			}
		case strategy.Closed:
			s.SuccessorID = e.SuccessorID
		case strategy.PeriodAttested:
			s.Attested = append(s.Attested, e.Period)
		}
		return s
	})
}

func (r *reader) finding(ctx context.Context, organizationID uuid.UUID, id string) (process.Finding, error) {
	return fold(ctx, r, organizationID, "finding", id, func(s process.Finding, by fact.Actor, e finding.Event, at eventlog.Event) process.Finding {
		s.State = s.Apply(by, e)
		switch e.(type) {
		case finding.Closed:
			s.EndedAt, s.SettledAt = at.Position, at.Position
		case finding.RiskAccepted, finding.Reclassified:
			s.SettledAt = at.Position
		}
		return s
	})
}

func (r *reader) findings(ctx context.Context, organizationID uuid.UUID, ids []uuid.UUID) ([]process.Finding, error) {
	all := make([]process.Finding, 0, len(ids))
	for _, id := range ids {
		s, err := r.finding(ctx, organizationID, id.String())
		if err != nil {
			return nil, err
		}
		if s.Exists() {
			all = append(all, s)
		}
	}
	return all, nil
}

func (r *reader) source(ctx context.Context, organizationID uuid.UUID, id string) (process.Source, error) {
	return fold(ctx, r, organizationID, "source", id, func(s process.Source, by fact.Actor, e source.Event, at eventlog.Event) process.Source {
		s.State = s.Apply(by, e)
		switch e := e.(type) {
		case source.Registered:
			s.ChangedAt = at.Position
		case source.StatusChanged:
			s.ChangedAt = at.Position
			if m, err := eventlog.DecodeMetadata(at.Metadata); err == nil && e.To == source.Suspended && m.CausationID != "" {
				if s.SuspendedBy == nil {
					s.SuspendedBy = map[string]bool{}
				}
				s.SuspendedBy[m.CausationID] = true
			}
		}
		return s
	})
}

// canRespond says whether a member may be assigned a finding: whoever cannot
// answer it is not made its owner.
func (r *reader) canRespond(ctx context.Context, organizationID uuid.UUID, memberID, strategyID, role string) (bool, error) {
	if memberID == "" {
		return false, nil
	}
	s, err := r.organization(ctx, organizationID)
	if err != nil {
		return false, err
	}
	for _, held := range s.RolesAt(memberID, r.clock().UTC(), strategyID) {
		if held == role {
			return true, nil
		}
	}
	return false, nil
}

// Roles of those whom processes assign findings to.
const (
	ownerRole   = authz.IndicatorOwner
	stewardRole = authz.DataSteward
)
