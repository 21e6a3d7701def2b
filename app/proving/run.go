package proving

import (
	"context"
	"errors"
	"fmt"
	"time"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/verifier"
)

// pageSize is how many positions are read at once.
const pageSize = 8_192

// Options of a verification. Trust names one key of the log at least.
type Options struct {
	Trust  verifier.Trust
	Memory *verifier.Memory // what was seen before; nil = nothing

	From, To int64 // positions; 0 = from the first, to the last

	NewestOnly bool // compare with the checkpoint that was signed last, not with all of them

	Heads   []verifier.Head   // checkpoints that others hold, verified already
	Records []verifier.Record // other accounts of the whole log; not asked in a range

	Also func() *verifier.Problem // what is wrong with a record itself; asked at the end; may be nil

	Progress func(done, total int64)         // may be nil
	Pause    func(ctx context.Context) error // after every page; nil = none
}

// Report is what a verification found.
type Report struct {
	From        int64             `json:"from,string"`
	To          int64             `json:"to,string"`       // the last position that was verified
	Head        int64             `json:"head,string"`     // where the log ended
	Sealed      int64             `json:"sealed,string"`   // how much of it is signed
	Cosigned    int64             `json:"cosigned,string"` // of that, how much the witnesses have seen
	Origin      string            `json:"origin"`
	Epoch       int               `json:"epoch"`
	Checkpoints int               `json:"checkpoints"`                      // signed ones that the log was compared with
	Strange     int               `json:"checkpointsOfOtherKeys,omitempty"` // signed with keys that were not given, and covered by a later one
	Events      int64             `json:"events"`
	Seconds     float64           `json:"seconds"`
	PerSecond   int64             `json:"eventsPerSecond"`
	Root        string            `json:"root,omitempty"` // of the newest checkpoint
	Problem     *verifier.Problem `json:"problem,omitempty"`

	Newest verifier.Checkpoint `json:"-"` // the newest checkpoint, verified
	Note   []byte              `json:"-"` // as it was signed
}

// OK says that everything is as it was sealed.
func (r Report) OK() bool { return r.Problem == nil }

// Run verifies the log. An error says that it could not be done, a Problem in the
// report what is wrong with the log.
func Run(ctx context.Context, s Source, o Options) (r Report, err error) {
	if err := o.check(ctx); err != nil {
		return r, err
	}
	began := time.Now()
	defer func() {
		r.Seconds = time.Since(began).Seconds()
		r.PerSecond = int64(float64(r.Events) / max(r.Seconds, 1e-6))
	}()
	// What was signed first, the events after that: the log only grows.
	epochs, err := s.Epochs(ctx)
	if err != nil {
		return r, err
	}
	ranged := o.From > 1 || o.To > 0
	signed, problem, err := o.signed(ctx, s, epochs, ranged)
	if err != nil {
		return r, err
	}
	r.Newest, r.Note, r.Sealed, r.Cosigned = signed.newest.Checkpoint, signed.signed, signed.newest.Size, signed.cosigned
	r.Origin, r.Epoch, r.Checkpoints = signed.newest.Origin, epochs.Current().Number, len(signed.heads)
	r.Strange = signed.strange
	if r.Head, err = s.Head(ctx); err != nil {
		return r, err
	}
	if problem == nil {
		if problem, err = remembered(o.Memory, signed, epochs); err != nil {
			return r, err
		}
	}
	if r.Sealed == 0 && problem == nil && len(o.Heads) == 0 {
		return r, ErrNothingSealed
	}
	if r.Sealed > 0 {
		r.Root = r.Newest.Root.String()
	}
	r.From, r.To = max(1, o.From), r.Head
	if o.To > 0 {
		r.To = min(o.To, r.Head)
	}
	cut := r.Head < r.Sealed && r.To == r.Head // the range ends where the log should not
	if cut {
		r.From = min(r.From, r.Head+1)
	}
	found, err := o.audit(ctx, s, &r, signed, epochs, ranged && !cut)
	if err != nil && !errors.As(err, &found) { // what the ledger lacks is a problem as well
		return r, err
	}
	r.Problem = sooner(found, problem)
	if o.Also != nil {
		r.Problem = sooner(r.Problem, o.Also())
	}
	return r, nil
}

// sooner is the problem with the lower position, if that is known; the first one
// says more where it is not.
func sooner(a, b *verifier.Problem) *verifier.Problem {
	if a == nil || b != nil && b.Position < a.Position && b.Through == 0 {
		return b
	}
	return a
}

// signed reads what was signed: all of it, or for a range the newest only.
func (o Options) signed(ctx context.Context, s Source, epochs eventlog.Epochs, ranged bool) (opened, *verifier.Problem, error) {
	var notes []Note
	if ranged || o.NewestOnly {
		newest, err := s.NewestNote(ctx)
		if err != nil {
			return opened{}, nil, err
		}
		if newest.Size > 0 {
			notes = []Note{newest}
		}
	} else {
		var err error
		if notes, err = s.Notes(ctx, 0); err != nil {
			return opened{}, nil, err
		}
	}
	signed, problem := open(notes, o.Trust, epochs)
	return signed, problem, nil
}

// audit reads the events.
func (o Options) audit(ctx context.Context, s Source, r *Report, signed opened, epochs eventlog.Epochs, ranged bool) (*verifier.Problem, error) {
	tiles := tilesOf(s)
	heads := append(signed.heads, o.Heads...)
	if o.Memory != nil {
		heads = append(heads, o.Memory.Heads(epochs.Shared)...)
	}
	base := &verifier.Tree{}
	after := int64(start)
	var err error
	if r.From > 1 {
		if base, err = tiles.Tree(ctx, r.From-1); err != nil {
			return nil, fmt.Errorf("the ledger's tiles before position %d: %w", r.From, err)
		}
		after = r.From - 1
	}
	records := []verifier.Record{{Name: "the ledger's tiles", Check: verifier.CheckTile, Kind: verifier.TileEdited, Leaves: tiles.Leaves(r.Sealed)}}
	if r.From == 1 && r.To == r.Head {
		records = append(records, o.Records...)
	}
	a := verifier.NewAudit(base, heads, records...)
	if err := o.feed(ctx, s, a, r, after); err != nil {
		return nil, err
	}
	if ranged && signed.newest.Size > 0 {
		return a.FinishRange(ctx, tiles, signed.newest)
	}
	return a.Finish(ctx)
}

// feed takes the rows, pages ahead of what is being hashed.
func (o Options) feed(ctx context.Context, s Source, a *verifier.Audit, r *Report, after int64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type page struct {
		events []verifier.Event
		err    error
	}
	pages := make(chan page, 2)
	go func() {
		defer close(pages)
		for after < r.To {
			events, through, err := readPage(ctx, s, after, r.To)
			select {
			case pages <- page{events, err}:
			case <-ctx.Done():
				return
			}
			if err != nil || through == after {
				return
			}
			after = through
		}
	}()
	for p := range pages {
		if p.err != nil {
			return p.err
		}
		if err := a.Take(ctx, p.events); err != nil {
			return err
		}
		r.Events += int64(len(p.events))
		if o.Progress != nil {
			o.Progress(r.Events, r.To-r.From+1)
		}
		if o.Pause != nil {
			if err := o.Pause(ctx); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// readPage reads the rows of the next positions, and says up to which position
// that was: after itself if there are none. Ranges of positions, not numbers of
// rows: who removed the constraints may have given one position twice.
func readPage(ctx context.Context, s Source, after, to int64) ([]verifier.Event, int64, error) {
	next := after + 1
	for after < to {
		through := min(to, next+pageSize-1)
		if after == start {
			through = min(to, pageSize)
		}
		rows, err := s.Between(ctx, after, through)
		if err != nil {
			return nil, after, err
		}
		if len(rows) > 0 {
			events := make([]verifier.Event, len(rows))
			for i := range rows {
				events[i] = Seen(&rows[i])
			}
			return events, through, nil
		}
		if next, err = s.Next(ctx, through); err != nil {
			return nil, after, err
		}
		if next == 0 || next > to {
			return nil, after, nil
		}
		after = next - 1
	}
	return nil, after, nil
}
