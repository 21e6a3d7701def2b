package command

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"strata.dev/strata/domain/evidence"
	"strata.dev/strata/domain/ident"
)

// directory tells what is there, by the log. Nothing in it ever goes away.
type directory struct {
	log        Log
	strategies *Strategies

	kinds map[string]func(ctx context.Context, organizationID uuid.UUID, stream string, refresh bool) (version int64, err error)
}

func newDirectory(c *Commands) *directory {
	d := &directory{log: c.Organizations.executor.options.Log, strategies: c.Strategies}
	d.kinds = map[string]func(context.Context, uuid.UUID, string, bool) (int64, error){
		"organization": c.Organizations.executor.versionOf,
		"strategy":     c.Strategies.executor.versionOf,
		"indicator":    c.Indicators.executor.versionOf,
		"finding":      c.Findings.executor.versionOf,
		"evidence":     c.Evidence.executor.versionOf,
		"source":       c.Sources.executor.versionOf,
	}
	return d
}

func (x *executor[S, C, E]) versionOf(ctx context.Context, organizationID uuid.UUID, stream string, refresh bool) (int64, error) {
	f, err := x.load(ctx, organizationID, stream, refresh)
	return f.version, err
}

// has says whether the organization has an aggregate of a kind with an id.
func (d *directory) has(ctx context.Context, organizationID uuid.UUID, kind, id string) (bool, error) {
	versionOf, ok := d.kinds[kind]
	if !ok || !ident.Valid(id) {
		return false, nil
	}
	for _, refresh := range []bool{false, true} { // what is remembered may be from before it was made
		version, err := versionOf(ctx, organizationID, kind+"-"+id, refresh)
		if err != nil || version > 0 {
			return version > 0, err
		}
	}
	return false, nil
}

// hasRevision is has for a revision of what may be a strategy; 0 is none.
func (d *directory) hasRevision(ctx context.Context, organizationID uuid.UUID, kind, id string, revision int) (bool, error) {
	there, err := d.has(ctx, organizationID, kind, id)
	if err != nil || !there || revision == 0 || kind != "strategy" {
		return there, err
	}
	s, err := d.strategies.state(ctx, organizationID, id)
	return revision <= s.Revisions(), err
}

// eventsAtATime is how many events of a stream are looked through at once.
const eventsAtATime = 1_000

// hasTarget says whether what evidence concerns is there, down to the event.
func (d *directory) hasTarget(ctx context.Context, organizationID uuid.UUID, t evidence.Target) (bool, error) {
	there, err := d.hasRevision(ctx, organizationID, t.Type, t.ID, t.Revision)
	if err != nil || !there || t.EventID == "" {
		return there, err
	}
	stream := t.Type + "-" + t.ID
	for after := int64(0); ; after += eventsAtATime {
		events, err := d.log.ReadStream(ctx, organizationID, stream, after, eventsAtATime)
		if err != nil {
			return false, fmt.Errorf("read %s: %w", stream, err)
		}
		for _, e := range events {
			if e.ID.String() == t.EventID {
				return true, nil
			}
		}
		if len(events) < eventsAtATime {
			return false, nil
		}
	}
}
