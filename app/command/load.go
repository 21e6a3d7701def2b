package command

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/fact"
)

func cacheKey(organization uuid.UUID, stream string) string {
	// Without the organization a remembered state would be readable by all of them.
	return string(organization[:]) + stream
}

// load gives an aggregate's state: what is remembered, or what the log says
// now. With refresh the read begins after load was called. State.checked says
// since when it is certain.
func (x *executor[S, C, E]) load(ctx context.Context, organization uuid.UUID, stream string, refresh bool) (folded[S], error) {
	key := cacheKey(organization, stream)
	have, ok := x.cache.get(key)
	switch {
	case ok && !refresh:
		return have, nil
	case refresh:
		f, err := x.read(ctx, organization, stream, have, 0)
		if err == nil {
			x.remember(key, f)
		}
		return f, err
	}
	// Nothing is remembered: whoever comes at the same time shares one read.
	return x.share(ctx, key, func(ctx context.Context) (folded[S], error) {
		return x.read(ctx, organization, stream, folded[S]{}, 0)
	})
}

// loadWithin gives a state that was certain at most age ago. Callers that find
// it too old at the same moment share one read.
func (x *executor[S, C, E]) loadWithin(ctx context.Context, organization uuid.UUID, stream string, age time.Duration) (folded[S], error) {
	key := cacheKey(organization, stream)
	have, ok := x.cache.get(key)
	if ok && time.Since(have.checked) <= age {
		return have, nil
	}
	return x.share(ctx, key, func(ctx context.Context) (folded[S], error) {
		return x.read(ctx, organization, stream, have, 0)
	})
}

// known gives a state that is at most MembershipAge old and was certain at since
// or later.
func (x *executor[S, C, E]) known(ctx context.Context, organization uuid.UUID, stream string, since time.Time) (folded[S], error) {
	f, err := x.loadWithin(ctx, organization, stream, MembershipAge)
	if err == nil && f.checked.Before(since) {
		f, err = x.load(ctx, organization, stream, true)
	}
	return f, err
}

// share reads once for all who ask for key meanwhile. The read does not end
// with the patience of whoever came first.
func (x *executor[S, C, E]) share(ctx context.Context, key string, read func(context.Context) (folded[S], error)) (folded[S], error) {
	answer := x.loads.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		f, err := read(ctx)
		if err == nil {
			x.remember(key, f)
		}
		return f, err
	})
	select {
	case <-ctx.Done():
		return folded[S]{}, eventlog.ErrUnavailable.Because(ctx.Err())
	case a := <-answer:
		if a.Err != nil {
			return folded[S]{}, a.Err
		}
		return a.Val.(folded[S]), nil
	}
}

// remember keeps a state that exists: asking for random ids must not fill memory.
func (x *executor[S, C, E]) remember(key string, f folded[S]) {
	if f.version > 0 {
		x.cache.put(key, f)
	}
}

// read folds the events behind base, up to version limit (0 = all there are).
func (x *executor[S, C, E]) read(ctx context.Context, organization uuid.UUID, stream string, base folded[S], limit int) (folded[S], error) {
	now := time.Now() // of the read, not of the decision: freshness is physical
	events, err := x.options.Log.ReadStream(ctx, organization, stream, base.version, limit)
	if err != nil {
		return folded[S]{}, fmt.Errorf("read %s: %w", stream, err)
	}
	f := folded[S]{state: base.state, version: base.version, checked: now}
	for _, e := range events {
		if e.Version != f.version+1 {
			return folded[S]{}, fmt.Errorf("read %s: version %d follows version %d", stream, e.Version, f.version)
		}
		body, err := eventcodec.Decode(e.Type, e.SchemaVersion, e.Data)
		if err != nil {
			return folded[S]{}, fmt.Errorf("read %s: version %d: %w", stream, e.Version, err)
		}
		event, ok := body.(E)
		if !ok {
			return folded[S]{}, fmt.Errorf("read %s: version %d: %s is no event of this aggregate", stream, e.Version, e.Type)
		}
		metadata, err := eventlog.DecodeMetadata(e.Metadata)
		if err != nil {
			return folded[S]{}, fmt.Errorf("read %s: version %d: %w", stream, e.Version, err)
		}
		f.state = x.apply(f.state, recordedBy(metadata, e), event)
		f.version = e.Version
	}
	return f, nil
}

// recordedBy is the actor as a fold sees it: who, and when it was recorded.
func recordedBy(m eventlog.Metadata, e eventlog.Event) fact.Actor {
	by := fact.Actor{ID: m.Actor.ID, Kind: fact.Kind(m.Actor.Kind), Roles: m.Actor.Roles, At: e.RecordedAt.UTC()}
	if m.Actor.AuthAt != nil {
		by.AuthAt = m.Actor.AuthAt.UTC()
	}
	return by
}
