package ingest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/domain/ident"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/source"
)

// How long the references of a source's indicators are remembered. A reference
// that is found is looked at again when its measurement is decided; one that is
// not found is looked for again in the log, at most this often.
const (
	referencesAge = time.Minute
	missPause     = time.Second
)

// references know by which names sources call their indicators.
type references struct {
	indicators *command.Indicators
	mu         sync.Mutex
	bySource   map[uuid.UUID]*directory
}

// directory are the names that one source uses. It is not changed once made.
type directory struct {
	*references
	organizationID, sourceID uuid.UUID
	allowed                  []source.Allowed
	byRef                    map[string][]uuid.UUID
	readAt                   time.Time
	fresh                    bool // read from the log, not from what is remembered
}

// reference is an indicator as a source named it; with a code it cannot be used.
type reference struct {
	id           uuid.UUID
	by           indicator.ExternalRef // zero = by its id
	code, detail string
}

// of gives the directory of a source.
func (r *references) of(ctx context.Context, organizationID, sourceID uuid.UUID, allowed []source.Allowed) (*directory, error) {
	r.mu.Lock()
	d := r.bySource[sourceID]
	r.mu.Unlock()
	if d != nil && time.Since(d.readAt) < referencesAge && slices.Equal(d.allowed, allowed) {
		return d, nil
	}
	d = &directory{references: r, organizationID: organizationID, sourceID: sourceID, allowed: allowed}
	return d.read(ctx, false)
}

// read makes a directory of the same source anew, and remembers it.
func (d *directory) read(ctx context.Context, fresh bool) (*directory, error) {
	next := &directory{
		references: d.references, organizationID: d.organizationID, sourceID: d.sourceID, allowed: d.allowed,
		byRef: map[string][]uuid.UUID{}, readAt: time.Now(), fresh: fresh,
	}
	for _, a := range d.allowed {
		id, err := uuid.Parse(a.IndicatorID)
		if err != nil {
			return nil, fmt.Errorf("source %s allows indicator %q: %w", d.sourceID, a.IndicatorID, err)
		}
		s, err := d.indicators.State(ctx, d.organizationID, id, fresh)
		if err != nil {
			return nil, err
		}
		for _, ref := range s.Definition.ExternalRefs {
			if ref.SourceID == d.sourceID.String() && !slices.Contains(next.byRef[ref.Ref], id) {
				next.byRef[ref.Ref] = append(next.byRef[ref.Ref], id)
			}
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bySource == nil {
		d.bySource = map[uuid.UUID]*directory{}
	}
	d.bySource[d.sourceID] = next
	return next, nil
}

// lookup is a directory in the hands of one message; what is not found may make
// it another one.
type lookup struct{ *directory }

// resolve finds the indicator that a source means: one of its allowed ones, by
// id or by the name it uses.
func (d *lookup) resolve(ctx context.Context, ref string) (reference, error) {
	if slices.ContainsFunc(d.allowed, func(a source.Allowed) bool { return a.IndicatorID == ref }) {
		id, err := uuid.Parse(ref)
		return reference{id: id}, err
	}
	if found, ok := d.named(ref); ok {
		return found, nil
	}
	if ident.Valid(ref) {
		id, err := uuid.Parse(ref)
		if err != nil {
			return reference{}, err
		}
		s, err := d.indicators.State(ctx, d.organizationID, id, false)
		if err != nil {
			return reference{}, err
		}
		if s.Exists() {
			return reference{id: id, code: source.NotAllowed, detail: "This source may not write this indicator."}, nil
		}
	}
	if !d.fresh || time.Since(d.readAt) > missPause {
		next, err := d.read(ctx, true)
		if err != nil {
			return reference{}, err
		}
		d.directory = next
		if found, ok := d.named(ref); ok {
			return found, nil
		}
	}
	return reference{code: source.UnknownIndicator, detail: "No indicator that this source may write has this id or goes by this reference."}, nil
}

func (d *directory) named(ref string) (reference, bool) {
	switch ids := d.byRef[ref]; len(ids) {
	case 0:
		return reference{}, false
	case 1:
		return reference{id: ids[0], by: indicator.ExternalRef{SourceID: d.sourceID.String(), Ref: ref}}, true
	}
	return reference{code: source.UnknownIndicator, detail: "Several indicators go by this reference: use an id, or make the references differ."}, true
}
