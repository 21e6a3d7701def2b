package restore

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/archive"
	"strata.dev/strata/app/eventlog"
)

// A batch is written when it has so many events or bytes: large enough for the
// database to be busy with the rows, small enough to lie in memory.
const (
	batchEvents = 10_000
	batchBytes  = 16 << 20
)

var (
	// ErrForeign: the archive is another installation's, or the database another log's.
	ErrForeign = errors.New("the archive and the database do not belong together")
	// ErrEmpty: there is nothing in the archive.
	ErrEmpty = errors.New("the archive holds no event")
	// ErrLonger: the database holds more than it is to be restored to.
	ErrLonger = errors.New("a log is never cut: restore to an earlier moment into an empty database")
)

// Until is where a restore ends; the zero value is the end of the archive.
type Until struct {
	Position int64     // the last position that is wanted; 0 = no limit
	At       time.Time // what was recorded later is not wanted; zero = no limit
}

func (u Until) passed(e *eventlog.Event) bool {
	return u.Position > 0 && e.Position > u.Position || !u.At.IsZero() && e.RecordedAt.After(u.At)
}

func (u Until) open() bool { return u.Position == 0 && u.At.IsZero() }

// Options of a restore of the whole log.
type Options struct {
	Archive  archive.Store
	Target   Target
	Instance string // whose archive it has to be, as far as its checkpoints say; "" = anybody's
	Until    Until

	// Mend gives what a missing or damaged segment held, from elsewhere; nil = the
	// restore ends there. See archive.WalkOptions.
	Mend func(ctx context.Context, epoch int, first, last int64, cause error) ([]eventlog.Event, error)

	// Erased destroys what events say is to be destroyed, before they are written
	// and so before anybody can read them; nil = nothing is.
	Erased func(ctx context.Context, events []eventlog.Event) error

	// Begin is the epoch that begins behind what was restored. One begins in any
	// case: nobody can know that the archive had the last event.
	Begin     NewEpoch
	Followers []Follower // who may hold what the archive does not

	Progress func(Progress) // may be nil
}

// Progress is how far a restore is.
type Progress struct {
	Phase     string // compare, restore, originals, done
	Done      int64  // positions
	Total     int64
	PerSecond float64
}

// Report is what a restore has done.
type Report struct {
	Epoch      int             `json:"archiveEpoch"`              // the archive's newest
	ArchiveEnd int64           `json:"archiveEnd,string"`         // the last position that it holds
	Compared   int64           `json:"compared,string"`           // positions that the database had already, equal to the byte
	Restored   int64           `json:"restored,string"`           // positions that were written
	Head       int64           `json:"head,string"`               // the last position that came from the archive
	Root       string          `json:"root"`                      // of the Merkle tree over the positions up to Head, hex
	Proven     int64           `json:"proven,string"`             // tree size of the newest checkpoint of the archive whose root was met
	Unproven   int64           `json:"unproven,omitempty,string"` // the first position that nothing in the archive vouches for; 0 = none
	Originals  int             `json:"originals"`                 // documents that were put back
	Imports    int             `json:"imports"`                   // that a service goes through once more
	Began      *eventlog.Epoch `json:"epochStarted,omitempty"`    // nil if the database was at or beyond the archive's end already
	Diverged   []Divergence    `json:"diverged,omitempty"`
	Seconds    float64         `json:"seconds"`
	PerSecond  float64         `json:"eventsPerSecond"` // while events were written
}

// errEnough ends the walk where the restore is to end.
var errEnough = errors.New("far enough")

// Log restores the whole log out of an archive, into an empty database or behind
// what a database has of it already. What is there is compared to the byte. It
// may be interrupted at any moment and called again.
func Log(ctx context.Context, o Options) (Report, error) {
	started := time.Now()
	r := &run{Options: o, started: started}
	if r.Progress == nil {
		r.Progress = func(Progress) {}
	}
	if err := r.begin(ctx); err != nil {
		return r.report, err
	}
	err := r.events(ctx)
	if err == nil {
		err = r.beside(ctx)
	}
	if err == nil {
		err = r.finish(ctx)
	}
	r.report.Seconds = time.Since(started).Seconds()
	if r.writing > 0 {
		r.report.PerSecond = float64(r.report.Restored) / r.writing.Seconds()
	}
	r.Progress(Progress{Phase: "done", Done: r.report.Head, Total: r.report.Head, PerSecond: r.report.PerSecond})
	return r.report, err
}

// run is one restore.
type run struct {
	Options
	report Report

	started     time.Time
	had         int64            // the end of the database before
	page        []eventlog.Event // of the database, still to be compared
	frontier    archive.Frontier
	scratch     []byte
	checkpoints map[int64]archive.Hash // roots of the newest checkpoint of each epoch, by size

	batch   []eventlog.Event
	bytes   int
	begun   []eventlog.Epoch // in the batch
	writing time.Duration

	imports []accepted
}

type accepted struct {
	organization, id uuid.UUID
	sha256           string
}

// begin finds out what there is on both sides, and whether it belongs together.
func (r *run) begin(ctx context.Context) error {
	var err error
	if r.had, err = r.Target.Head(ctx); err != nil {
		return err
	}
	if r.report.Epoch, err = archive.LastEpoch(ctx, r.Archive); err != nil {
		return err
	}
	if r.report.Epoch == 0 {
		return ErrEmpty
	}
	// Its bytes may be damaged: then what is to be read is not known, and is found out by reading.
	last, ok, err := archive.LastSegment(ctx, r.Archive, r.report.Epoch)
	var damaged *archive.SegmentError
	switch {
	case errors.As(err, &damaged):
	case err != nil:
		return err
	case ok:
		r.report.ArchiveEnd = last.Last
	}
	return r.belongs(ctx)
}

// belongs makes sure that the archive is that of the installation, as far as its
// checkpoints tell, and remembers their roots.
func (r *run) belongs(ctx context.Context) error {
	r.checkpoints = map[int64]archive.Hash{}
	for epoch := 1; epoch <= r.report.Epoch; epoch++ {
		size, note, ok, err := archive.LastCheckpoint(ctx, r.Archive, epoch)
		if err != nil {
			return fmt.Errorf("checkpoints of epoch %d: %w", epoch, err)
		}
		if !ok {
			continue
		}
		origin, root, err := readNote(note)
		if err != nil {
			return fmt.Errorf("checkpoint of epoch %d at size %d: %w", epoch, size, err)
		}
		if want := fmt.Sprintf("%s/log/%d", r.Instance, epoch); r.Instance != "" && origin != want {
			return fmt.Errorf("%w: the archive is that of %s, and this is %s", ErrForeign, origin, want)
		}
		r.checkpoints[size] = root
	}
	return nil
}

// readNote takes origin and root out of a signed checkpoint. Whether the
// signature is good is for those to check who have the key.
func readNote(note []byte) (origin string, root archive.Hash, err error) {
	lines := strings.SplitN(string(note), "\n", 4)
	if len(lines) < 4 {
		return "", root, errors.New("not a checkpoint")
	}
	sum, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(sum) != len(root) {
		return "", root, errors.New("not a checkpoint: its root is no hash")
	}
	return lines[0], archive.Hash(sum), nil
}

// events walks through the archive.
func (r *run) events(ctx context.Context) error {
	tip, err := archive.Walk(ctx, r.Archive, archive.WalkOptions{Epoch: r.report.Epoch, Through: r.Until.Position, Mend: r.Mend},
		func(e *eventlog.Event) error { return r.take(ctx, e) })
	var gap *archive.SegmentError
	switch {
	case errors.As(err, &gap):
		// What came before it is proven: it is kept, and the next attempt goes on behind it.
		return errors.Join(err, r.flush(ctx))
	case err != nil && !errors.Is(err, errEnough):
		return err
	}
	if err := r.flush(ctx); err != nil {
		return err
	}
	root := r.frontier.Root()
	r.report.Head, r.report.Root, r.report.Unproven = r.frontier.Size(), hex.EncodeToString(root[:]), tip.Unproven
	r.report.ArchiveEnd = max(r.report.ArchiveEnd, r.report.Head)
	if r.had > r.report.Head && !r.Until.open() {
		return fmt.Errorf("%w: it ends at position %d, and position %d is what was asked for", ErrLonger, r.had, r.report.Head)
	}
	return nil
}

// take compares an event with what the database has, or puts it into the batch.
func (r *run) take(ctx context.Context, e *eventlog.Event) error {
	if r.Until.passed(e) {
		return errEnough
	}
	r.frontier.Append(eventlog.LeafHashIn(&r.scratch, e))
	if want, signed := r.checkpoints[e.Position]; signed {
		if r.frontier.Root() != want {
			return fmt.Errorf("position %d: the archive's own checkpoint of this size has another root: segments or checkpoints were exchanged", e.Position)
		}
		r.report.Proven = e.Position
	}
	if err := r.note(e); err != nil {
		return err
	}
	if e.Position <= r.had {
		return r.compare(ctx, e)
	}
	epoch, ok, err := begins(*e)
	if err != nil {
		return err
	}
	if ok {
		r.begun = append(r.begun, epoch)
	}
	r.batch, r.bytes = append(r.batch, *e), r.bytes+len(e.Data)+len(e.Metadata)
	if len(r.batch) < batchEvents && r.bytes < batchBytes {
		return nil
	}
	return r.flush(ctx)
}
