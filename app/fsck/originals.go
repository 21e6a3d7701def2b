package fsck

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/app/personal"
	"strata.dev/strata/domain/evidence"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/source"
)

// Originals gives what was kept: a document in clear, command.ErrNoOriginal, a
// fault of kind Gone if its key was destroyed, or personal.ErrForged.
type Originals interface {
	Original(ctx context.Context, organizationID uuid.UUID, sha256 string) ([]byte, error)
}

// NewOriginals is the Follower that reads every document that an event refers to,
// and compares it with the hash that the event has of it.
func NewOriginals(from Originals) Follower {
	return &originals{from: from, known: map[owner]bool{}}
}

const (
	restoreOriginal = "Restore it from the archive (strata restore), which has the documents that events refer to."
	storagePrefix   = "originals/"
)

type originals struct {
	from   Originals
	known  map[owner]bool
	erased int
}

// Name implements Follower.
func (o *originals) Name() string { return OriginalsSection }

// Begin implements Follower.
func (o *originals) Begin(context.Context, *Tally) error { return nil }

// Event implements Follower.
func (o *originals) Event(ctx context.Context, e *Entry, t *Tally) error {
	switch body := e.Body.(type) {
	case evidence.Registered:
		if body.StorageRef != storagePrefix+body.SHA256 {
			t.Wrong(e.wrong("reference", fmt.Sprintf("It says %q, which is no place of a document with hash %s.", body.StorageRef, body.SHA256), compareLogs))
			return nil
		}
		return o.document(ctx, e, body.SHA256, t)
	case source.ImportAccepted:
		return o.document(ctx, e, body.DocumentSHA256, t)
	}
	return nil
}

// document reads one document, the first time that something refers to it.
func (o *originals) document(ctx context.Context, e *Entry, sum string, t *Tally) error {
	of := owner{e.OrganizationID, sum}
	if o.known[of] || !t.concerns(e.Organization()) {
		return nil
	}
	o.known[of] = true
	t.Checked(1, "documents")
	w := e.wrong("", "", restoreOriginal)
	w.Table, w.Key = "originals", "sha256="+sum
	content, err := o.from.Original(ctx, e.OrganizationID, sum)
	var f *fault.Fault
	switch got := sha256.Sum256(content); {
	case errors.Is(err, command.ErrNoOriginal):
		w.Kind, w.Detail = "missing", "The event refers to it, and it is not there."
	case errors.Is(err, personal.ErrForged):
		w.Kind, w.Detail = "changed", "What is stored was not sealed with its key."
	case errors.Is(err, personal.ErrNoKey):
		w.Kind, w.Detail, w.Do = "no key", "There is no key for it, and none was destroyed.", restoreKeys
	case errors.As(err, &f) && f.Kind == fault.Gone:
		o.erased++
		return nil
	case err != nil:
		return fmt.Errorf("read document %s: %w", sum, err)
	case hex.EncodeToString(got[:]) != sum:
		w.Kind, w.Detail = "changed", fmt.Sprintf("Its SHA-256 is %x.", got)
	default:
		return nil
	}
	t.Wrong(w)
	return nil
}

// End implements Follower.
func (o *originals) End(_ context.Context, _ int64, t *Tally) error {
	if o.erased > 0 {
		t.Note(fmt.Sprintf("%d of them were erased: their keys are destroyed", o.erased))
	}
	return nil
}
