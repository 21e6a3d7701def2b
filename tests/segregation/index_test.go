package segregation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/indicator"
)

// index follows the log as the read databases do, and is asked what they are
// asked: which indicators a strategy has, and which findings there are about
// something. Digests are the domain's; the ledger beside it judges every event.
type index struct {
	log    eventlog.Log
	mu     sync.Mutex
	ledger *ledger
	states map[string]indicator.State
	broken error
}

func newIndex(log eventlog.Log) *index {
	return &index{log: log, ledger: newLedger(), states: map[string]indicator.State{}}
}

// catchUp takes in what is new, as decided by a process, and gives the first
// breach of a rule there ever was.
func (x *index) catchUp(ctx context.Context, process int) ([]eventlog.Event, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	events, err := x.log.Read(ctx, x.ledger.position, 10_000)
	if err != nil {
		return nil, err
	}
	for _, e := range events {
		if err := x.ledger.take(e, process); err != nil && x.broken == nil {
			x.broken = err
		}
		b, err := eventcodec.Decode(e.Type, e.SchemaVersion, e.Data)
		if err != nil {
			return nil, err
		}
		if i, ok := b.(indicator.Event); ok {
			x.states[e.StreamID] = x.states[e.StreamID].Apply(fact.Actor{At: e.RecordedAt}, i)
		}
	}
	return events, x.broken
}

func (x *index) at(ctx context.Context, minPosition int64) error {
	if _, err := x.catchUp(ctx, anyProcess); err != nil {
		return err
	}
	if x.ledger.position < minPosition {
		return fmt.Errorf("at position %d, not %d", x.ledger.position, minPosition)
	}
	return nil
}

// IndicatorBasis implements command.IndicatorBasis.
func (x *index) IndicatorBasis(ctx context.Context, _, strategyID uuid.UUID, minPosition int64) (string, []string, int64, error) {
	if err := x.at(ctx, minPosition); err != nil {
		return "", nil, 0, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	p := x.ledger.strategies[strategyID.String()]
	if p == nil {
		return "", nil, 0, errors.New("no such strategy")
	}
	var mine []indicator.Basis
	for _, s := range x.states {
		if s.StrategyID == p.id && !s.Retired {
			mine = append(mine, s.Basis())
		}
	}
	return indicator.Digest(mine), x.ledger.indicatorAuthors(p), x.ledger.position, nil
}

// IndicatorsOf implements command.IndicatorBasis.
func (x *index) IndicatorsOf(ctx context.Context, _, strategyID uuid.UUID, minPosition int64) (ids []uuid.UUID, err error) {
	if err := x.at(ctx, minPosition); err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for id, m := range x.ledger.indicators {
		if m.strategy == strategyID.String() {
			ids = append(ids, uuid.MustParse(id))
		}
	}
	return ids, nil
}

// FindingsAbout implements command.FindingIndex.
func (x *index) FindingsAbout(ctx context.Context, _ uuid.UUID, subjectType, subjectID string, minPosition int64) ([]uuid.UUID, error) {
	return x.findings(ctx, minPosition, func(d *deviation) bool { return d.about(subjectType, subjectID) })
}

// FindingsByKey implements command.FindingIndex.
func (x *index) FindingsByKey(ctx context.Context, _ uuid.UUID, dedupeKey string, minPosition int64) ([]uuid.UUID, error) {
	return x.findings(ctx, minPosition, func(d *deviation) bool { return d.dedupeKey == dedupeKey })
}

func (x *index) findings(ctx context.Context, minPosition int64, which func(*deviation) bool) (ids []uuid.UUID, err error) {
	if err := x.at(ctx, minPosition); err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for id, d := range x.ledger.findings {
		if d.stage != "closed" && which(d) {
			ids = append(ids, uuid.MustParse(id))
		}
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	return ids, nil
}
