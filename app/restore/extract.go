package restore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/google/uuid"

	"strata.dev/strata/app/archive"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/fsck"
)

// Source brings recorded events, in order of their positions, up to where it is
// asked to end.
type Source func(ctx context.Context, until Until, visit func(*eventlog.Event) error) error

// FromLog is a log as a Source: it may be written to meanwhile.
func FromLog(log eventlog.Reader) Source {
	return func(ctx context.Context, until Until, visit func(*eventlog.Event) error) error {
		head, err := log.Head(ctx) // what is recorded from here on is not asked for
		if err != nil {
			return err
		}
		for at := int64(0); at < head; {
			page, err := log.Read(ctx, at, comparePage)
			if err != nil {
				return err
			}
			if len(page) == 0 {
				return nil
			}
			for i := range page {
				if e := &page[i]; e.Position > head || until.passed(e) {
					return nil
				} else if err := visit(e); err != nil {
					return err
				}
			}
			at = page[len(page)-1].Position
		}
		return nil
	}
}

// FromArchive is the newest history that an archive holds as a Source, proven as
// it is read.
func FromArchive(store archive.Store) Source {
	return func(ctx context.Context, until Until, visit func(*eventlog.Event) error) error {
		_, err := archive.Walk(ctx, store, archive.WalkOptions{Through: until.Position}, func(e *eventlog.Event) error {
			if until.passed(e) {
				return errEnough
			}
			return visit(e)
		})
		if errors.Is(err, errEnough) {
			return nil
		}
		return err
	}
}

// Wanted says what is taken out: an organization, or one of its streams.
type Wanted struct {
	OrganizationID uuid.UUID // zero = of any, if there is a Stream
	Stream         string    // "" = all of the organization
}

func (w Wanted) has(e *eventlog.Event) bool {
	return (w.OrganizationID == uuid.Nil || e.OrganizationID == w.OrganizationID) && (w.Stream == "" || e.StreamID == w.Stream)
}

// Entity is the state of a stream at the end of what was taken out.
type Entity struct {
	Stream         string          `json:"stream"`
	OrganizationID uuid.UUID       `json:"organizationId"`
	Version        int64           `json:"version,string"`
	Position       int64           `json:"position,string"` // of its last event
	Digest         string          `json:"digest"`          // of the state, hex; equal for equal states of one release
	State          json.RawMessage `json:"state"`
}

// Extracted is what was taken out.
type Extracted struct {
	Position int64             `json:"position,string"` // up to which was read
	Events   int64             `json:"events"`
	First    int64             `json:"first,string"` // position of the first event
	Last     int64             `json:"last,string"`  // and of the last one
	SHA256   string            `json:"sha256"`       // of the event lines
	Digest   string            `json:"digest"`       // over the streams and the digests of their states, hex
	States   map[string]string `json:"states"`       // digests of the states, by stream
}

// ErrNothing: there is no event of what was asked for, up to there.
var ErrNothing = errors.New("nothing of it was recorded up to there")

// Extract reads what is wanted as of a position or an instant: every event goes to
// events as a line (see archive.AppendEvent), and every entity's state to entity
// in the end, in the order of the streams' ids. An entity that this release cannot
// fold is an error.
func Extract(ctx context.Context, from Source, until Until, want Wanted, events io.Writer, entity func(Entity) error) (Extracted, error) {
	var out Extracted
	lines := sha256.New()
	to := io.MultiWriter(lines, events)
	entities, last := map[string]*fsck.Entity{}, map[string]Entity{}
	var line []byte
	err := from(ctx, until, func(e *eventlog.Event) (err error) {
		out.Position = e.Position
		if !want.has(e) {
			return nil
		}
		if line, err = archive.AppendEvent(line[:0], e); err != nil {
			return err
		}
		if _, err := to.Write(append(line, '\n')); err != nil {
			return fmt.Errorf("write the events: %w", err)
		}
		if out.Events++; out.First == 0 {
			out.First = e.Position
		}
		out.Last = e.Position
		folded := entities[e.StreamID]
		if folded == nil {
			var known bool
			if folded, known = fsck.NewEntity(e.StreamID); !known {
				return fmt.Errorf("position %d: %s is no kind of stream that this release knows", e.Position, e.StreamID)
			}
			entities[e.StreamID] = folded
		}
		last[e.StreamID] = Entity{Stream: e.StreamID, OrganizationID: e.OrganizationID, Version: e.Version, Position: e.Position}
		return folded.Add(*e)
	})
	if err != nil {
		return out, err
	}
	if out.Events == 0 {
		return out, ErrNothing
	}
	all := sha256.New()
	out.States = make(map[string]string, len(entities))
	for _, id := range slices.Sorted(maps.Keys(entities)) {
		x, digest := last[id], entities[id].Digest()
		x.Digest = hex.EncodeToString(digest[:])
		if x.State, err = render(entities[id].State()); err != nil {
			return out, fmt.Errorf("state of %s: %w", id, err)
		}
		if err := entity(x); err != nil {
			return out, err
		}
		out.States[id] = x.Digest
		fmt.Fprintf(all, "%s %s\n", id, x.Digest)
	}
	out.SHA256, out.Digest = hex.EncodeToString(lines.Sum(nil)), hex.EncodeToString(all.Sum(nil))
	return out, nil
}

// UpTo is a log that ends earlier: for who builds something as of a position.
func UpTo(log eventlog.Reader, position int64) eventlog.Reader { return earlier{log, position} }

type earlier struct {
	log eventlog.Reader
	end int64
}

// Head implements eventlog.Reader.
func (e earlier) Head(ctx context.Context) (int64, error) {
	head, err := e.log.Head(ctx)
	return min(head, e.end), err
}

// Read implements eventlog.Reader.
func (e earlier) Read(ctx context.Context, after int64, limit int) ([]eventlog.Event, error) {
	if limit = int(min(int64(limit), e.end-after)); limit <= 0 {
		return nil, nil
	}
	return e.log.Read(ctx, after, limit)
}
