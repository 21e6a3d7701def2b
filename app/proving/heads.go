package proving

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/verifier"
)

// TheDatabase is where the checkpoints of the ledger come from, in reports.
const TheDatabase = "the ledger's checkpoint"

// opened is what was signed, as far as it is to be believed.
type opened struct {
	heads    []verifier.Head // of the history that is written now
	newest   verifier.Head   // the largest of them; zero if there is none
	signed   []byte          // its note
	cosigned int64           // the largest size that enough witnesses have cosigned
	strange  int             // how many were signed with keys that nobody has given
}

// open verifies the signatures of notes, on all processors. The first note that
// is not to be believed is a problem; what was signed of a history that was left
// behind is verified and not compared.
func open(notes []Note, trust verifier.Trust, epochs eventlog.Epochs) (o opened, problem *verifier.Problem) {
	quorum := trust.Quorum
	trust.Quorum = 0
	checkpoints, problems := make([]verifier.Checkpoint, len(notes)), make([]*verifier.Problem, len(notes))
	var group sync.WaitGroup
	workers := min(runtime.GOMAXPROCS(0), 1+len(notes)/16)
	for w := range workers {
		group.Go(func() {
			for i := w; i < len(notes); i += workers {
				checkpoints[i], problems[i] = openNote(notes[i], trust)
			}
		})
	}
	group.Wait()
	var strange *verifier.Problem // the largest that only others have signed
	for i, c := range checkpoints {
		if p := problems[i]; p != nil && p.Kind == "" {
			o.strange++
			if strange == nil || p.Position > strange.Position {
				strange = p
			}
			continue
		}
		if p := problems[i]; p != nil {
			if problem == nil || p.Position < problem.Position {
				problem = p
			}
			continue
		}
		if c.Size > epochs.Shared(notes[i].Epoch) {
			continue // of a history that was left behind
		}
		h := verifier.Head{Checkpoint: c, From: TheDatabase}
		if quorum > 0 && len(c.Seen) >= quorum {
			h.Outside, h.From = true, "the checkpoint that a witness has cosigned"
			o.cosigned = max(o.cosigned, c.Size)
		}
		if c.Size >= o.newest.Size {
			o.newest, o.signed = h, notes[i].Signed
		}
		o.heads = append(o.heads, h)
	}
	// A key that was replaced long ago need not be given: what came later covers it.
	if problem == nil && strange != nil && strange.Position > o.newest.Size {
		problem = strange
		problem.Position, problem.Through, problem.Kind = o.newest.Size+1, strange.Position, verifier.ForgedNote
	}
	if problem == nil && quorum > 0 && o.newest.Size > o.cosigned {
		problem = &verifier.Problem{
			Position: o.cosigned + 1, Through: o.newest.Size, Check: verifier.CheckSignature, Kind: verifier.ForgedNote, Where: TheDatabase,
			Expected: fmt.Sprintf("a checkpoint of size %d that %d of the witnesses have cosigned", o.newest.Size, quorum),
			Found:    fmt.Sprintf("the newest one of that kind has size %d", o.cosigned),
			Detail:   "if the witness was out of reach only, it cosigns the next one",
		}
	}
	return o, problem
}

func openNote(n Note, trust verifier.Trust) (verifier.Checkpoint, *verifier.Problem) {
	wrong := func(expected, found string) *verifier.Problem {
		return &verifier.Problem{
			Position: max(1, n.Size), Check: verifier.CheckSignature, Kind: verifier.ForgedNote,
			Where: fmt.Sprintf("%s of size %d, epoch %d", TheDatabase, n.Size, n.Epoch), Expected: expected, Found: found,
		}
	}
	c, err := verifier.OpenCheckpoint(n.Signed, trust)
	if err != nil {
		p := wrong("one that a trusted key has signed", err.Error())
		if errors.Is(err, verifier.ErrUnsigned) {
			p.Kind = "" // nobody has forged a signature; it is for open to judge
		}
		return c, p
	}
	if _, epoch := c.Log(); c.Size != n.Size || epoch != n.Epoch || !bytes.Equal(c.Root[:], n.Root) {
		return c, wrong(fmt.Sprintf("size %d and root %s of %s, as signed", c.Size, c.Root, c.Origin), fmt.Sprintf("size %d and root %x of epoch %d in its row", n.Size, n.Root, n.Epoch))
	}
	return c, nil
}

// remembered judges the newest checkpoint against what was seen before.
func remembered(m *verifier.Memory, o opened, epochs eventlog.Epochs) (*verifier.Problem, error) {
	if m == nil {
		return nil, nil
	}
	newest, ok := m.Newest()
	switch {
	case !ok:
		return nil, nil
	case o.newest.Size > 0:
		p := m.Continues(o.newest.Checkpoint)
		if p != nil && p.Kind == verifier.Resigned {
			return nil, nil // the audit says more closely where
		}
		return p, nil
	}
	if _, epoch := newest.Log(); epoch > epochs.Current().Number || newest.Size > 0 {
		return &verifier.Problem{
			Position: 1, Through: newest.Size, Check: verifier.CheckRemembered, Kind: verifier.Replayed, Where: TheDatabase,
			Expected: fmt.Sprintf("%s of size %d or more", newest.Origin, newest.Size), Found: "no checkpoint at all",
		}, nil
	}
	return nil, nil
}

var errNoTrust = errors.New("no public key of the log is given")

func (o Options) check(ctx context.Context) error {
	if len(o.Trust.Log) == 0 {
		return errNoTrust
	}
	if o.To > 0 && o.From > o.To {
		return fmt.Errorf("positions %d to %d are no range", o.From, o.To)
	}
	return ctx.Err()
}
