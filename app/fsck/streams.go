package fsck

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/google/uuid"
)

// streams folds every stream of the log, and some of them again from what their
// index gives.
//
// States of all streams of a large log do not fit into memory: beyond AtOnce
// events the streams are dealt into shares, and the log is read once for each.
type streams struct {
	options Options
	shares  uint64
	share   uint64 // the one at work
	open    map[string]*stream
	sums    map[string][sha256.Size]byte // of the states, by stream
	digest  func(sum string)
}

// stream is one at work.
type stream struct {
	organization uuid.UUID
	state        aggregate
	version      int64
	broken       bool // it cannot be folded any further
}

func newStreams(o Options) *streams {
	return &streams{options: o, shares: 1, open: map[string]*stream{}, sums: map[string][sha256.Size]byte{}, digest: func(string) {}}
}

const releaseFault = "Run the release that wrote it or a newer one; if this is that release, it is a fault of the software: report it with the stream's events."

// Name implements Follower.
func (s *streams) Name() string { return StreamsSection }

// Begin implements Follower.
func (s *streams) Begin(ctx context.Context, _ *Tally) error {
	head, err := s.options.Log.Head(ctx)
	if err != nil {
		return fmt.Errorf("head of the log: %w", err)
	}
	s.shares = uint64(head/s.options.AtOnce) + 1
	return nil
}

// Event implements Follower.
func (s *streams) Event(_ context.Context, e *Entry, t *Tally) error {
	if s.shares > 1 && shareOf(e.StreamID)%s.shares != s.share {
		return nil
	}
	at, ok := s.open[e.StreamID]
	if !ok {
		at = &stream{organization: e.OrganizationID}
		at.state, ok = newAggregate(e.StreamID)
		s.open[e.StreamID] = at
		t.Checked(1, "streams")
		if !ok {
			at.broken = true
			t.Wrong(e.wrong("unknown stream", "There is no such kind of stream.", releaseFault))
		}
	}
	if at.broken {
		return nil
	}
	err := e.unreadable
	if err == nil {
		at.state, err = at.state.apply(e.By, e.Body)
	}
	if err != nil {
		at.broken = true
		t.Wrong(e.wrong("fold", fmt.Sprintf("Version %d cannot be folded: %v", e.Version, err), releaseFault))
	}
	at.version = e.Version
	return nil
}

func shareOf(streamID string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(streamID)) // never fails
	return h.Sum64()
}

// End implements Follower.
func (s *streams) End(ctx context.Context, head int64, t *Tally) error {
	for {
		if err := s.close(ctx, t); err != nil {
			return err
		}
		if s.share++; s.share >= s.shares {
			break
		}
		err := readAll(ctx, s.options, func(batch []*Entry) {
			for _, e := range batch {
				if e.Position <= head {
					_ = s.Event(ctx, e, t) // it has none
				}
			}
		})
		if err != nil {
			return err
		}
	}
	s.digest(s.total())
	return nil
}

// close takes the digests of the share at work, and folds some of its streams again.
func (s *streams) close(ctx context.Context, t *Tally) error {
	ids := slices.Sorted(maps.Keys(s.open))
	for _, id := range ids {
		s.sums[id] = Digest(s.open[id].state.state())
	}
	sample := ids
	if n := s.options.Again; n > 0 {
		if n = max(1, n/int(s.shares)); n < len(ids) {
			sample = slices.Clone(ids)
			rand.Shuffle(len(sample), func(i, j int) { sample[i], sample[j] = sample[j], sample[i] })
			sample = sample[:n]
		}
	}
	for _, id := range sample {
		if err := s.again(ctx, id, s.open[id], t); err != nil {
			return err
		}
	}
	clear(s.open)
	return nil
}

// again folds a stream from what its index gives, in two steps: a state that is
// remembered is gone on with in the same way.
func (s *streams) again(ctx context.Context, id string, first *stream, t *Tally) error {
	if first.broken {
		return nil
	}
	second, _ := NewEntity(id)
	for _, upTo := range []int64{first.version / 2, first.version} {
		if upTo == second.version {
			continue
		}
		events, err := s.options.Log.ReadStream(ctx, first.organization, id, second.version, int(upTo-second.version))
		if err != nil {
			return fmt.Errorf("read %s: %w", id, err)
		}
		for _, event := range events {
			if second.Add(event) != nil {
				break // its version says how far it came
			}
		}
	}
	wrong := Wrong{Stream: id, Organization: first.organization.String(), Table: "events", Key: "stream_id=" + id}
	switch {
	case second.version != first.version:
		wrong.Kind, wrong.Do = "index", "REINDEX TABLE events; if that does not help, restore the log (strata restore log)."
		wrong.Detail = fmt.Sprintf("In the order of positions the stream has %d events, by its index it has %d.", first.version, second.version)
		t.Wrong(wrong)
	case second.Digest() != s.sums[id]:
		wrong.Kind, wrong.Do = "not deterministic", releaseFault
		wrong.Detail = "Folded twice, it has two states."
		t.Wrong(wrong)
	}
	return nil
}

// total is the digest of all streams' states.
func (s *streams) total() string {
	sum := sha256.New()
	for _, id := range slices.Sorted(maps.Keys(s.sums)) {
		digest := s.sums[id]
		line := append(binary.BigEndian.AppendUint64(nil, uint64(len(id))), id...)
		_, _ = sum.Write(append(line, digest[:]...)) // never fails
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}
