package projection

import (
	"context"
	"errors"
	"fmt"
	"time"

	"strata.dev/strata/app/eventlog"
)

// Projection keeps one read database in step with the log. Safe for concurrent
// use; batches are applied one after the other, whoever brings them.
type Projection interface {
	// Name is the projection's name and that of its consumer group: "plans".
	Name() string

	// Checkpoint is the position of the last event that the live model contains.
	// A new model is at 0.
	Checkpoint(ctx context.Context) (int64, error)

	// Apply is the projection's eventlog.BatchHandler. Effect and checkpoint are
	// one transaction. Events at or below the checkpoint are skipped, so a
	// repeated batch changes nothing; a batch that starts behind the next event
	// is refused whole with a *GapError, after which the caller reads again from
	// the checkpoint. An event that cannot be applied parks its stream and does
	// not fail the batch.
	Apply(ctx context.Context, events []eventlog.Event) error

	// Rebuild makes the model anew from position 0 beside the live one, and
	// switches when it has caught up: readers see the old model, whole, or the
	// new one. Apply goes on meanwhile, here or in another process. A rebuild
	// that dies at any point leaves the live model as it was; the next one cleans
	// up after it. ErrRebuilding if one runs already, anywhere.
	Rebuild(ctx context.Context, log eventlog.Reader, progress func(Progress)) error

	// Upgrade makes the live model one that this release can work on. It returns
	// at once if it is; it rebuilds, or waits for another process that does, if an
	// older release has made it. Until then Apply refuses with a *LayoutError and
	// readers are told to come again. A *LayoutError if a newer release has made
	// it: this process has been overtaken and is to stop.
	Upgrade(ctx context.Context, log eventlog.Reader, progress func(Progress)) error

	// Verify makes the model anew from the log beside the live one and compares all
	// rows of both at one position. Apply and readers go on meanwhile. What differs
	// is named in the report and is no error; with Repair the new copy takes the
	// place of a live one that differs. ErrRebuilding if a rebuild or another
	// verification runs, anywhere; a *LayoutError if the live model is another
	// release's. A verification that dies leaves the live model as it was.
	Verify(ctx context.Context, log eventlog.Reader, o VerifyOptions, progress func(Progress)) (VerifyReport, error)

	// Digest fingerprints the live model's content. Two models of one log at one
	// position have equal digests, however they came about.
	Digest(ctx context.Context) (Digest, error)

	// Status is what an operator wants to see.
	Status(ctx context.Context) (Status, error)

	// Resume applies what a parked stream missed and lets it flow again. It fails,
	// and the stream stays parked, if the event still cannot be applied.
	// ErrNotParked if there is nothing to resume.
	Resume(ctx context.Context, log eventlog.StreamReader, streamID string) error
}

var (
	// ErrRebuilding: another rebuild or verification of this projection is running.
	ErrRebuilding = errors.New("a rebuild or verification of this projection is running already")

	// ErrNotParked: this stream is not parked.
	ErrNotParked = errors.New("this stream is not parked")
)

// GapError is a batch that does not connect to the checkpoint. Nothing of it
// was applied: read again from behind Checkpoint.
type GapError struct {
	Projection string
	Checkpoint int64 // the last position the model contains
	Got        int64 // the position that came instead of the next one
}

func (e *GapError) Error() string {
	return fmt.Sprintf("projection %s is at position %d and was given %d: read again from the checkpoint", e.Projection, e.Checkpoint, e.Got)
}

// LayoutError is a live model whose tables are not those this release works on.
// Nothing was applied. Upgrade ends it if Live is the smaller number.
type LayoutError struct {
	Projection string
	Live, Code int // the layouts of the live model and of this release
}

func (e *LayoutError) Error() string {
	return fmt.Sprintf("projection %s has layout %d and this release works on layout %d: it is rebuilt when a service of the newer release starts",
		e.Projection, e.Live, e.Code)
}

// Digest is a fingerprint of a model's content.
type Digest struct {
	Position int64
	SHA256   string // lower-case hexadecimal
}

// States of a generation.
const (
	Building = "building"
	Live     = "live"
	Retired  = "retired"
)

// Generation is one copy of the model.
type Generation struct {
	Number    int
	State     string
	Position  int64
	Epoch     int // of the log, in which Position counts
	StartedAt time.Time
}

// Parked is a stream that this projection left behind at an event it could not apply.
type Parked struct {
	StreamID       string
	OrganizationID string
	Position       int64 // of the event
	Version        int64 // of the event, in its stream
	EventID        string
	Type           string
	Reason         string
	ParkedAt       time.Time
	Skipped        int64 // later events of the stream that were left out, up to now
}

// Verified is when the live model was last known to be what the log says: it was
// compared, or it was made.
type Verified struct {
	At       time.Time
	Position int64
}

// Status is where a projection stands.
type Status struct {
	Name        string
	Generation  Generation // the live one
	Building    *Generation
	Verified    *Verified // nil if the live one never was
	Parked      []Parked  // at most 100, the oldest first
	ParkedTotal int
}

// Lag is how many events the live model is behind head.
func (s Status) Lag(head int64) int64 { return max(0, head-s.Generation.Position) }

// State is the status in one word: live, building (live, and a rebuild or
// verification runs or was left behind), parked (live, and streams are left behind).
func (s Status) State() string {
	switch {
	case s.ParkedTotal > 0:
		return "parked"
	case s.Building != nil:
		return Building
	}
	return Live
}

// Progress is how far a rebuild or verification is.
type Progress struct {
	Done      int64 // events read and folded
	Total     int64 // events in the log when last looked
	PerSecond float64
	ETA       time.Duration // 0 if not known yet
	Phase     string        // load, index, catch-up, compare, switch, done
}
