package plansdb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/internal/readdb"
	"strata.dev/strata/app/query"
)

// Snapshots of an entity are taken every so many events: the next one after n is
// at n + max(spacing, n/spread). What is folded behind one is then little, and what
// they take grows slower than the square of the entity's length.
const (
	spacing = 256
	spread  = 24
	// tooMany events folded behind a snapshot are a reason to take more.
	tooMany = 2 * spacing
	// sampleOf is how many uses there are to one that is compared with a fold from
	// the beginning.
	sampleOf     = 256
	snapshotTime = time.Minute // for one entity
)

// SnapshotCounts is what became of snapshots since the service began.
type SnapshotCounts struct {
	Used, Taken, Compared int64
	Wrong                 int64 // thrown away: not what was written, or not what comes of the events
}

// snapshots keeps what entities came to at some of their events, so that the past
// of a long one is not folded from its first event each time. They are the
// writer's rows, hence hold nothing that the tables do not hold. A use checks the
// digest, and that the last event is the one that is recorded; now and then
// one is made again from the beginning and compared. What is wrong is thrown away,
// counted, and not used: the answer is then folded from the beginning.
type snapshots struct {
	keep *Projection
	log  *slog.Logger

	mu      sync.Mutex
	busy    map[string]bool // entities at work, by organization and stream
	ended   bool
	ctx     context.Context
	end     context.CancelFunc
	wg      sync.WaitGroup
	used    atomic.Int64
	taken   atomic.Int64
	checked atomic.Int64
	wrong   atomic.Int64
}

func newSnapshots(keep *Projection) *snapshots {
	ctx, end := context.WithCancel(context.Background())
	return &snapshots{keep: keep, log: keep.Log(), busy: map[string]bool{}, ctx: ctx, end: end}
}

func (s *snapshots) close() {
	s.mu.Lock()
	s.ended = true
	s.end()
	s.mu.Unlock()
	s.wg.Wait()
}

// Snapshots tells what became of snapshots.
func (r *Reader) Snapshots() SnapshotCounts {
	if r.snapshots == nil {
		return SnapshotCounts{}
	}
	s := r.snapshots
	return SnapshotCounts{Used: s.used.Load(), Taken: s.taken.Load(), Compared: s.checked.Load(), Wrong: s.wrong.Load()}
}

// begin is where the fold of an entity begins: a writer with what a snapshot
// holds, and the position behind which to go on; an empty one and 0 without.
func (r *Reader) begin(ctx context.Context, ask query.Read, streamID string, upTo int64) (*writer, *readdb.Snapshot, error) {
	if r.snapshots == nil || upTo == 0 {
		return newWriter(true), nil, nil
	}
	found, err := r.db.Snapshot(ctx, ask.OrganizationID, streamID, upTo)
	if err == nil && found != nil {
		var w *writer
		if w, err = unpack(found.Content); err == nil {
			return w, found, nil
		}
		err = errors.Join(readdb.ErrSnapshot, err)
	}
	if err != nil && found != nil {
		r.snapshots.throwAway(ctx, found, err)
		err = nil
	}
	return newWriter(true), nil, err
}

// throwAway drops an entity's snapshots because one is wrong.
func (s *snapshots) throwAway(ctx context.Context, found *readdb.Snapshot, why error) {
	s.wrong.Add(1)
	s.log.ErrorContext(ctx, "a snapshot was wrong and is thrown away: somebody else wrote it, or it was damaged",
		"organization", found.OrganizationID, "stream", found.StreamID, "position", found.Position, "err", why)
	if err := s.keep.DropSnapshots(context.WithoutCancel(ctx), found.OrganizationID, found.StreamID); err != nil {
		s.log.ErrorContext(ctx, "drop wrong snapshots", "err", err)
	}
}

// folded notes how an answer came about: whether more snapshots are wanted, or
// the one used is to be compared.
func (r *Reader) folded(ask query.Read, streamID string, from *readdb.Snapshot, events int) {
	s := r.snapshots
	if s == nil {
		return
	}
	sample := false
	if from != nil {
		sample = s.used.Add(1)%sampleOf == 1
	}
	if events < tooMany && !sample {
		return
	}
	s.work(ask.OrganizationID.String()+streamID, func(ctx context.Context) error {
		if sample {
			if err := r.compareSnapshot(ctx, from); err != nil {
				return err
			}
		}
		if events < tooMany {
			return nil
		}
		return r.takeSnapshots(ctx, ask.OrganizationID, streamID)
	})
}

// work does something for an entity beside the answers, unless it is being done.
func (s *snapshots) work(entity string, do func(ctx context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || len(s.busy) > 0 {
		return // one at a time; it comes again
	}
	s.busy[entity] = true
	s.wg.Go(func() {
		ctx, cancel := context.WithTimeout(s.ctx, snapshotTime)
		defer cancel()
		if err := do(ctx); err != nil && s.ctx.Err() == nil {
			s.log.WarnContext(ctx, "snapshots could not be taken", "err", err)
		}
		s.mu.Lock()
		delete(s.busy, entity)
		s.mu.Unlock()
	})
}

// takeSnapshots goes through all events of an entity and takes those that are missing.
func (r *Reader) takeSnapshots(ctx context.Context, organizationID uuid.UUID, streamID string) error {
	ask := query.Read{OrganizationID: organizationID}
	w, at, err := r.begin(ctx, ask, streamID, 1<<62)
	if err != nil {
		return err
	}
	var count, after int64
	if at != nil {
		count, after = at.Events, at.Position
	}
	past, err := r.past.Recorded(ctx, ask, streamID, after)
	if err == nil && at != nil && (past.Joined > 0 || past.Anchor != at.LastEvent) {
		w, count = newWriter(true), 0
		past, err = r.past.Recorded(ctx, ask, streamID, 0)
	}
	if err != nil {
		return err
	}
	for next := nextSnapshot(count); len(past.Events) > 0; {
		part := past.Events[:min(next-count, int64(len(past.Events)))]
		past.Events = past.Events[len(part):]
		if err := foldInto(w, part); err != nil {
			return err
		}
		if count += int64(len(part)); count < next {
			break
		}
		next = nextSnapshot(count)
		last := part[len(part)-1]
		if last.Position < past.Joined { // before that, something was elsewhere that is in the rows already
			continue
		}
		content, err := w.pack()
		if err != nil {
			return err
		}
		err = r.snapshots.keep.KeepSnapshot(ctx, &readdb.Snapshot{
			OrganizationID: organizationID, StreamID: streamID, Position: last.Position, LastEvent: last.ID, Events: count, Content: content,
		})
		if err != nil {
			return err
		}
		r.snapshots.taken.Add(1)
	}
	return r.snapshots.keep.PruneSnapshots(ctx)
}

func nextSnapshot(n int64) int64 { return n + max(spacing, n/spread) }

// compareSnapshot folds an entity from its first event up to a snapshot of it.
func (r *Reader) compareSnapshot(ctx context.Context, s *readdb.Snapshot) error {
	ask := query.Read{OrganizationID: s.OrganizationID, AsOf: query.Moment{Position: s.Position}}
	past, err := r.past.Recorded(ctx, ask, s.StreamID, 0)
	if err != nil {
		return err
	}
	w := newWriter(true)
	if err := foldInto(w, past.Events); err != nil {
		return err
	}
	content, err := w.pack()
	if err != nil {
		return err
	}
	r.snapshots.checked.Add(1)
	if string(content) != string(s.Content) || int64(len(past.Events)) != s.Events {
		r.snapshots.throwAway(ctx, s, fmt.Errorf("it is not what %d events come to", len(past.Events)))
	}
	return nil
}

// packer is a table's rows in a snapshot.
type packer interface {
	Pack(to []byte) ([]byte, error)
	Unpack(from string) (rest string, err error)
	Err() error
}

func (w *writer) packers() []packer {
	return []packer{
		w.organizations, w.members, w.grants, w.holds, w.strategies, w.elements, w.approvals, w.indicators, w.authors, w.moves, w.targets,
		w.measurements, w.imports, w.findings, w.subjects, w.parts, w.evidence, w.links, w.inside, w.sources, w.external,
	}
}

// pack is the content of a snapshot.
func (w *writer) pack() (content []byte, err error) {
	for _, p := range w.packers() {
		if content, err = p.Pack(content); err != nil {
			return nil, err
		}
	}
	return content, nil
}

// unpack makes a writer that goes on where pack was called.
func unpack(content []byte) (*writer, error) {
	w, rest := newWriter(true), string(content)
	for _, p := range w.packers() {
		var err error
		if rest, err = p.Unpack(rest); err != nil {
			return nil, err
		}
	}
	if rest != "" {
		return nil, fmt.Errorf("%d bytes are left over", len(rest))
	}
	for row := range w.elements.Peek() {
		s := ref{row.org, row.strategyID}
		w.elementsOf[s] = append(w.elementsOf[s], row.id)
	}
	return w, nil
}

// unpacked is the first error of what unpack has left to be read later.
func (w *writer) unpacked() error {
	var errs []error
	for _, p := range w.packers() {
		errs = append(errs, p.Err())
	}
	return errors.Join(errs...)
}
