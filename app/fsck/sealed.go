package fsck

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"strata.dev/strata/app/personal"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/sealed"
)

// Seals opens sealed texts: personal.Sealer.
type Seals interface {
	// Open gives what a text says; ok is false if its key was destroyed.
	Open(ctx context.Context, organizationID uuid.UUID, text string) (plaintext string, ok bool, err error)
	// Destroyed says whether a subject's key was destroyed.
	Destroyed(ctx context.Context, organizationID uuid.UUID, subjectID string) (bool, error)
}

// NewSealed is the Follower that opens every sealed text of the log: it must have
// a key, or a key that was destroyed on request. cursors tell how far requests
// have been carried out.
func NewSealed(from Seals, cursors func(ctx context.Context) ([]Cursor, error)) Follower {
	return &texts{from: from, cursors: cursors, erased: map[owner]int64{}, gone: map[owner]int64{}, lost: map[owner]bool{}}
}

// ErasureGroup is the consumer group that destroys the keys of erased persons.
const ErasureGroup = "erasure"

const (
	restoreKeys = "Restore the key store from its own backup. A key that is lost without a request loses what it sealed."
	destroyKey  = "Run the group erasure again from the start (move its cursor to 0): destroying again harms nothing. Never restore a key store over tombstones."
	findOutWho  = "Find out who destroyed it: nobody asked for it in the log."
)

// texts are the sealed texts of the log under comparison.
type texts struct {
	from    Seals
	cursors func(ctx context.Context) ([]Cursor, error)
	upTo    int64           // to which requests have been carried out
	erased  map[owner]int64 // keys that events ask to be destroyed, and where
	gone    map[owner]int64 // keys that are destroyed, and the first text they sealed
	lost    map[owner]bool  // keys that are missing and named
}

// owner is whose a key is.
type owner struct {
	organization uuid.UUID
	subject      string
}

func (o owner) compare(p owner) int {
	return cmp.Or(bytes.Compare(o.organization[:], p.organization[:]), cmp.Compare(o.subject, p.subject))
}

// Name implements Follower.
func (x *texts) Name() string { return SealedSection }

// Begin implements Follower.
func (x *texts) Begin(ctx context.Context, _ *Tally) error {
	cursors, err := x.cursors(ctx)
	for _, c := range cursors {
		if c.Group == ErasureGroup {
			x.upTo = c.Position
		}
	}
	return err
}

// Event implements Follower.
func (x *texts) Event(ctx context.Context, e *Entry, t *Tally) error {
	if erased, ok := e.Body.(organization.PersonalDataErased); ok {
		for _, key := range erased.KeyIDs {
			x.erased[owner{e.OrganizationID, key}] = e.Position
		}
	}
	for _, text := range slices.Concat(sealedIn(e.Data), sealedIn(e.Event.Metadata)) {
		t.Checked(1, "texts")
		if err := x.text(ctx, e, text, t); err != nil {
			return err
		}
	}
	return nil
}

func (x *texts) text(ctx context.Context, e *Entry, text string, t *Tally) error {
	of := owner{e.OrganizationID, sealed.Subject(text)}
	_, ok, err := x.from.Open(ctx, e.OrganizationID, text)
	switch {
	case errors.Is(err, personal.ErrNoKey):
		if !x.lost[of] {
			x.lost[of] = true
			w := e.wrong("no key", "There is no key for it, and none was destroyed.", restoreKeys)
			w.Table, w.Key = "key store", keyOf(of)
			t.Wrong(w)
		}
	case errors.Is(err, personal.ErrForged):
		t.Wrong(e.wrong("forged", fmt.Sprintf("A sealed text of subject %s was not sealed with its key.", of.subject), compareLogs))
	case err != nil:
		return fmt.Errorf("open what is sealed at position %d: %w", e.Position, err)
	case !ok && x.gone[of] == 0:
		x.gone[of] = e.Position
	}
	return nil
}

// End implements Follower.
func (x *texts) End(ctx context.Context, _ int64, t *Tally) error {
	wrong := func(of owner, kind string, position int64, detail, do string) {
		t.Wrong(Wrong{
			Kind: kind, Table: "key store", Key: keyOf(of), Position: position, Organization: of.organization.String(), Detail: detail, Do: do,
		})
	}
	for _, of := range slices.SortedFunc(maps.Keys(x.gone), owner.compare) {
		if x.erased[of] == 0 {
			wrong(of, "destroyed", x.gone[of], "The key of what is sealed here was destroyed, and the log has no request for it.", findOutWho)
		}
	}
	for _, of := range slices.SortedFunc(maps.Keys(x.erased), owner.compare) {
		if x.erased[of] > x.upTo {
			continue // its turn comes
		}
		destroyed, err := x.from.Destroyed(ctx, of.organization, of.subject)
		if err != nil {
			return err
		}
		if !destroyed {
			wrong(of, "not destroyed", x.erased[of], "This event asks for the key to be destroyed, and it is there.", destroyKey)
		}
	}
	return nil
}

func keyOf(of owner) string { return of.organization.String() + "/" + of.subject }

// sealedMembers are the members of bodies and metadata that hold sealed texts.
// What looks like one anywhere else somebody has typed.
var sealedMembers = []string{"sealed", "displayName", "email", "printedName", "fileName", "submitter"}

// sealedIn finds the sealed texts in canonical JSON.
func sealedIn(b []byte) (found []string) {
	const begin = `":"v1.`
	for from := 0; ; {
		i := bytes.Index(b[from:], []byte(begin))
		if i < 0 {
			return found
		}
		name := b[:from+i]
		name = name[bytes.LastIndexByte(name, '"')+1:]
		text := b[from+i+len(`":"`):]
		from += i + len(begin)
		end := bytes.IndexByte(text, '"')
		if end >= 0 && slices.Contains(sealedMembers, string(name)) && sealed.Valid(string(text[:end])) {
			found = append(found, string(text[:end]))
		}
	}
}
