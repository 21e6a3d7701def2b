package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/command"
	"strata.dev/strata/app/personal"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/sealed"
)

// errErased says that a document cannot be read any more.
var errErased = personal.ErrErased.Detailf("The document was erased; its hash stays as proof that it existed.")

// original names a document of an organization.
type original struct {
	organization uuid.UUID
	sha256       []byte
}

func originalOf(organizationID uuid.UUID, hash string) (original, error) {
	sum, err := hex.DecodeString(hash)
	return original{organizationID, sum}, err
}

func (o original) key() string { return sealed.Document(hex.EncodeToString(o.sha256)) }

func (o original) args(more ...any) []any {
	return append([]any{[16]byte(o.organization), o.sha256}, more...)
}

// is says whether these are the bytes of the document.
func (o original) is(document []byte) error {
	if sum := sha256.Sum256(document); string(sum[:]) != string(o.sha256) {
		return fmt.Errorf("the bytes of document %x have the SHA-256 %x", o.sha256, sum)
	}
	return nil
}

// Keep implements command.ImportStore. Where documents are sealed, one whose key
// was destroyed is not taken in again: personal.ErrErased.
func (i *Imports) Keep(ctx context.Context, organizationID uuid.UUID, sha256 string, document []byte) error {
	o, err := originalOf(organizationID, sha256)
	if err != nil {
		return fmt.Errorf("keep a document as %q: %w", sha256, err)
	}
	if i.persons == nil {
		// The database makes sure that the bytes are what they are called.
		_, err = i.pool.Exec(ctx, `INSERT INTO public.originals (organization_id, sha256, bytes) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING`, o.args(document)...)
		return i.failed(err, "keep document "+sha256)
	}
	if err := o.is(document); err != nil {
		return fmt.Errorf("keep: %w", err)
	}
	ciphertext, err := i.persons.SealBytes(ctx, organizationID, o.key(), document)
	if errors.Is(err, personal.ErrDestroyed) {
		return errErased.Because(err)
	}
	if err != nil {
		return fmt.Errorf("seal document %s: %w", sha256, err)
	}
	_, err = i.pool.Exec(ctx, insertSealed, o.args(len(document), ciphertext)...)
	return i.failed(err, "keep document "+sha256)
}

const insertSealed = `INSERT INTO public.sealed_originals (organization_id, sha256, size, ciphertext) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`

// Original implements command.ImportStore. Whatever it gives has the hash that
// was asked for.
func (i *Imports) Original(ctx context.Context, organizationID uuid.UUID, sha256 string) ([]byte, error) {
	o, err := originalOf(organizationID, sha256)
	if err != nil {
		return nil, command.ErrNoOriginal.Because(err)
	}
	kept, isSealed, err := i.row(ctx, o)
	if err != nil {
		return nil, err
	}
	if isSealed {
		return i.open(ctx, o, kept)
	}
	return checked(o, kept)
}

// Stored gives a document as it is to lie anywhere else: sealed where documents
// are sealed, even if its row is still in clear. personal.ErrErased if there is
// nothing left of it that anybody could read.
func (i *Imports) Stored(ctx context.Context, organizationID uuid.UUID, sha256 string) ([]byte, error) {
	o, err := originalOf(organizationID, sha256)
	if err != nil {
		return nil, command.ErrNoOriginal.Because(err)
	}
	kept, isSealed, err := i.row(ctx, o)
	switch {
	case err != nil:
		return nil, err
	case isSealed && len(kept) == 0:
		return nil, errErased
	case isSealed || i.persons == nil:
		return kept, nil
	}
	ciphertext, err := i.persons.SealBytes(ctx, organizationID, o.key(), kept)
	if errors.Is(err, personal.ErrDestroyed) {
		return nil, errErased.Because(err)
	}
	return ciphertext, err
}

// row gives what lies in the database of a document: sealed, if it is there in
// that form.
func (i *Imports) row(ctx context.Context, o original) (kept []byte, isSealed bool, err error) {
	err = i.pool.QueryRow(ctx, `
SELECT ciphertext, true FROM public.sealed_originals WHERE organization_id = $1 AND sha256 = $2
UNION ALL
SELECT bytes, false FROM public.originals WHERE organization_id = $1 AND sha256 = $2
ORDER BY 2 DESC LIMIT 1`, o.args()...).Scan(&kept, &isSealed)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, false, command.ErrNoOriginal
	}
	return kept, isSealed, i.failed(err, fmt.Sprintf("read document %x", o.sha256))
}

// open gives the bytes of a sealed document.
func (i *Imports) open(ctx context.Context, o original, ciphertext []byte) ([]byte, error) {
	if len(ciphertext) == 0 {
		return nil, errErased
	}
	if i.persons == nil {
		return nil, personal.ErrUnavailable.Because(fmt.Errorf("document %x is sealed, and no key store is configured", o.sha256))
	}
	document, ok, err := i.persons.OpenBytes(ctx, o.organization, o.key(), ciphertext)
	switch {
	case err != nil:
		return nil, fmt.Errorf("open document %x: %w", o.sha256, err)
	case !ok:
		return nil, errErased
	}
	return checked(o, document)
}

// checked gives the bytes if they are the document's, and else none.
func checked(o original, document []byte) ([]byte, error) {
	if err := o.is(document); err != nil {
		return nil, err
	}
	return document, nil
}

// SealOriginals seals the documents that lie in the database in clear, one after
// the other, and takes away each once its sealed copy opens to the same bytes. It
// gives how many it sealed; it may be stopped, begun again, and run by several
// instances at once. One that was erased before it was sealed goes without a
// copy. One that cannot be sealed stays, does not hold up the others, and is an
// error at the end; without database or key store it ends at once.
func (i *Imports) SealOriginals(ctx context.Context) (n int, err error) {
	if i.persons == nil {
		return 0, nil
	}
	var failures []error
	for after := (original{sha256: []byte{}}); ; {
		o, document, err := i.nextInClear(ctx, after)
		if err != nil || o.sha256 == nil {
			return n, errors.Join(append(failures, err)...)
		}
		done, err := i.sealOne(ctx, o, document)
		switch f, ok := errors.AsType[*fault.Fault](err); {
		case ok && f.Kind == fault.Unavailable:
			return n, errors.Join(append(failures, err)...)
		case err != nil:
			const named = 20
			if failures = append(failures, fmt.Errorf("seal document %x: %w", o.sha256, err)); len(failures) >= named {
				return n, errors.Join(failures...)
			}
		case done:
			n++
		}
		after = o
	}
}

func (i *Imports) nextInClear(ctx context.Context, after original) (o original, document []byte, err error) {
	var id [16]byte
	err = i.pool.QueryRow(ctx, `SELECT organization_id, sha256, bytes FROM public.originals
WHERE (organization_id, sha256) > ($1, $2) ORDER BY organization_id, sha256 LIMIT 1`, after.args()...).Scan(&id, &o.sha256, &document)
	if errors.Is(err, pgx.ErrNoRows) {
		return original{}, nil, nil
	}
	o.organization = id
	return o, document, i.failed(err, "look for documents in clear")
}

// sealOne is one transaction: sealed and gone, or as before.
func (i *Imports) sealOne(ctx context.Context, o original, document []byte) (done bool, err error) {
	ciphertext, err := i.persons.SealBytes(ctx, o.organization, o.key(), document)
	if errors.Is(err, personal.ErrDestroyed) {
		ciphertext = []byte{}
	} else if err != nil {
		return false, err
	}
	var unopened error
	err = pgx.BeginFunc(ctx, i.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, insertSealed, o.args(len(document), ciphertext)...); err != nil {
			return err
		}
		var kept []byte
		if err := tx.QueryRow(ctx, `SELECT ciphertext FROM public.sealed_originals WHERE organization_id = $1 AND sha256 = $2`, o.args()...).
			Scan(&kept); err != nil {
			return err
		}
		if _, unopened = i.open(ctx, o, kept); unopened != nil && !errors.Is(unopened, personal.ErrErased) {
			return unopened
		}
		unopened = nil
		return tx.QueryRow(ctx, `SELECT public.drop_clear_original($1, $2)`, o.args()...).Scan(&done)
	})
	if unopened != nil {
		return false, unopened
	}
	return done, i.failed(err, "seal a document")
}
