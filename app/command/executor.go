package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/singleflight"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/fault"
)

const (
	// maxLostRaces is how often a command without an expected version may lose
	// to other processes; within this process commands queue. The process that
	// won need not read before its next command and so tends to win again: the
	// bound is about its queue, not about luck.
	maxLostRaces = 100
	// loadTimeout bounds a read that several callers share and none may cancel.
	loadTimeout = 10 * time.Second
)

// executor runs commands on one kind of aggregate: S its state, C its commands,
// E its events. Safe for concurrent use.
type executor[S, C, E any] struct {
	kind   string // also the prefix of its streams
	decide func(S, fact.Actor, C) ([]E, error)
	apply  func(S, fact.Actor, E) S

	// sign gives the signature an event carries in its metadata, if it is one
	// that is signed; nil if the aggregate has none.
	sign func(E, fact.Actor) *eventlog.Signature
	// second names the second person behind an event, "" if there is none; nil if
	// the aggregate needs none.
	second func(E) string
	// revision is what Result.Revision says of a state; nil = always 0.
	revision func(S) int

	options Options
	cache   *cache[S]
	queues  *queues
	loads   singleflight.Group
}

func newExecutor[S, C, E any](kind string, o Options, decide func(S, fact.Actor, C) ([]E, error), apply func(S, fact.Actor, E) S) *executor[S, C, E] {
	return &executor[S, C, E]{
		kind: kind, decide: decide, apply: apply,
		options: o, cache: newCache[S](o.CacheEvents), queues: newQueues(),
	}
}

// request is one call on one aggregate.
type request[S, C any] struct {
	call     Call
	owner    uuid.UUID // the organization whose aggregate it is
	id       uuid.UUID
	commands []C

	// prepare says, for one decision, who asks (with the roles that hold now
	// within the scope of c) and adds to the command what only the service
	// knows. What it takes from memory must have been checked at since or later.
	prepare func(ctx context.Context, s S, c C, since time.Time) (asking, C, error)
}

// asking is who decides a command, and for whom: a process acts on behalf of
// the member who started it.
type asking struct {
	fact.Actor
	onBehalfOf    string
	policyVersion int // of the organization's policy that the decision rests on

	// printed gives the sealed name of a member, "" if none is known; nil likewise.
	printed func(memberID string) string

	quiet *eventlog.Quiet // what must not have happened elsewhere when it is recorded
}

func (x *executor[S, C, E]) stream(id uuid.UUID) string { return x.kind + "-" + id.String() }

// execute answers a request. See the package's documentation for the way.
func (x *executor[S, C, E]) execute(ctx context.Context, r request[S, C]) (result Result, err error) {
	start, attempts := x.options.Clock(), 0
	defer func() {
		x.options.Metrics.Command(x.kind, outcome(result, err), attempts, x.options.Clock().Sub(start))
	}()
	if r.call.CommandID == uuid.Nil || len(r.call.Hash) == 0 {
		return Result{}, ErrIncomplete
	}
	stream := x.stream(r.id)
	leave, err := x.queues.enter(ctx, stream)
	if err != nil {
		return Result{}, eventlog.ErrUnavailable.Because(err)
	}
	defer leave()

	// The first decision may rest on what is remembered; what would be answered
	// without an append is decided again on what was read since the call began.
	began := time.Now()
	var since time.Time
	refresh := false
	for lost := 0; lost < maxLostRaces; {
		base, err := x.load(ctx, r.owner, stream, refresh)
		if err != nil {
			return Result{}, err
		}
		attempts++
		decided, refused := x.decideAll(ctx, r, base, since)
		if refused != nil || len(decided.events) == 0 {
			if since.IsZero() && restsOnState(refused) {
				since, refresh = began, base.checked.Before(began)
				continue
			}
			return x.unrecorded(ctx, r, stream, base, refused)
		}
		sent := time.Now()
		receipt, err := x.append(ctx, r, stream, base, decided)
		switch {
		case err == nil && receipt.Replayed:
			return x.replay(ctx, r, receipt)
		case err == nil:
			return x.recorded(r, stream, base, decided, receipt, sent), nil
		case errors.Is(err, eventlog.ErrNotQuiet):
			since = time.Now() // what was read of others is out of date, too
		case !errors.Is(err, eventlog.ErrWrongVersion):
			return Result{}, err
		case r.call.Expected != nil:
			return Result{}, stale(err, base.version)
		}
		refresh = true
		lost++
	}
	return Result{}, ErrContended
}

// restsOnState says whether a refusal might not be one on a newer state. What
// could not be reached now is not asked twice.
func restsOnState(refused error) bool {
	f, ok := errors.AsType[*fault.Fault](refused)
	if !ok {
		return refused == nil
	}
	switch f.Kind {
	case fault.Internal, fault.Unavailable, fault.Unknown, fault.RateLimited:
		return false
	}
	return true
}

// decision is what a request leads to on one state.
type decision[E any] struct {
	events []E
	by     []asking // of each event
	at     time.Time
}

func (x *executor[S, C, E]) decideAll(ctx context.Context, r request[S, C], base folded[S], since time.Time) (decision[E], error) {
	if e := r.call.Expected; e != nil && *e != base.version {
		return decision[E]{}, stale(nil, base.version)
	}
	d := decision[E]{at: x.options.Clock().UTC()}
	state, folded := base.state, 0
	for _, c := range r.commands {
		// Only a following command needs the state that the events before it make.
		for ; folded < len(d.events); folded++ {
			state = x.apply(state, d.by[folded].Actor, d.events[folded])
		}
		by, c, err := r.prepare(ctx, state, c, since)
		if err != nil {
			return decision[E]{}, err
		}
		by.At = d.at
		events, err := x.decide(state, by.Actor, c)
		if err != nil {
			return decision[E]{}, err
		}
		for _, e := range events {
			d.events = append(d.events, e)
			d.by = append(d.by, by)
		}
	}
	return d, nil
}

func (x *executor[S, C, E]) append(ctx context.Context, r request[S, C], stream string, base folded[S], d decision[E]) (eventlog.Receipt, error) {
	events, err := x.encode(r.call, d)
	if err != nil {
		return eventlog.Receipt{}, err
	}
	return x.options.Log.Append(ctx, eventlog.Command{
		ID:              r.call.CommandID,
		Hash:            r.call.Hash,
		OrganizationID:  r.owner,
		StreamID:        stream,
		ExpectedVersion: base.version,
		Events:          events,
		Quiet:           d.quiet(),
	})
}

// recorded remembers the new state and answers. The fold uses the time of
// recording, as it will when the stream is read again. The state is certain as
// of when the append was sent: others may have appended since its commit.
func (x *executor[S, C, E]) recorded(r request[S, C], stream string, base folded[S], d decision[E], receipt eventlog.Receipt, sent time.Time) Result {
	state := base.state
	for i, e := range d.events {
		by := d.by[i].Actor
		by.At = receipt.RecordedAt.UTC()
		state = x.apply(state, by, e)
	}
	x.cache.put(cacheKey(r.owner, stream), folded[S]{state: state, version: receipt.Version, checked: sent})
	return x.result(r.id, state, receipt)
}

func (x *executor[S, C, E]) result(id uuid.UUID, s S, receipt eventlog.Receipt) Result {
	result := Result{
		ID:       id,
		StreamID: receipt.StreamID,
		Version:  receipt.Version,
		Position: receipt.Position,
		EventIDs: receipt.EventIDs,
		Replayed: receipt.Replayed,
	}
	if x.revision != nil {
		result.Revision = x.revision(s)
	}
	return result
}

// unrecorded answers a command that leads to nothing on the state as it is now:
// if it was recorded before, with its first answer; else with the refusal, or
// with the state as it is when there was nothing to do.
func (x *executor[S, C, E]) unrecorded(ctx context.Context, r request[S, C], stream string, base folded[S], refused error) (Result, error) {
	receipt, hash, found, err := x.options.Log.FindCommand(ctx, r.call.CommandID)
	switch {
	case err != nil:
		return Result{}, fmt.Errorf("look for command %s: %w", r.call.CommandID, err)
	case found && !bytes.Equal(hash, r.call.Hash):
		return Result{}, eventlog.ErrCommandReused
	case found:
		return x.replay(ctx, r, receipt)
	case refused != nil:
		return Result{}, refused
	}
	return x.result(r.id, base.state, eventlog.Receipt{StreamID: stream, Version: base.version}), nil
}

// replay gives the first answer again: of the aggregate the command was
// recorded on, with its state as of then. A create brings a new id each time;
// the one in the log counts.
func (x *executor[S, C, E]) replay(ctx context.Context, r request[S, C], receipt eventlog.Receipt) (Result, error) {
	id, err := uuid.Parse(receipt.StreamID[min(len(x.kind)+1, len(receipt.StreamID)):])
	if err != nil || x.stream(id) != receipt.StreamID {
		// Recorded on another kind of aggregate: the same key for another request.
		return Result{}, eventlog.ErrCommandReused
	}
	receipt.Replayed = true
	receipt.EventIDs = slices.Clone(receipt.EventIDs)
	var state S
	if x.revision != nil {
		then, err := x.read(ctx, r.owner, receipt.StreamID, folded[S]{}, int(receipt.Version))
		if err != nil {
			return Result{}, err
		}
		state = then.state
	}
	return x.result(id, state, receipt), nil
}

// stale says which version the aggregate is at.
func stale(cause error, version int64) error {
	f := ErrStale.Detailf("It is at revision %d.", version)
	if v, ok := errors.AsType[*eventlog.VersionError](cause); ok {
		version = v.Actual
		f = ErrStale.Detailf("It is at revision %d.", version).Because(cause)
	}
	return f.With("currentRevision", version)
}

func outcome(r Result, err error) string {
	if err != nil {
		if f, ok := errors.AsType[*fault.Fault](err); ok {
			return f.Slug
		}
		return "error"
	}
	switch {
	case r.Replayed:
		return "replayed"
	case r.Position == 0:
		return "unchanged"
	}
	return "recorded"
}
