package personal

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/refusal"
)

// KeyBytes is the length of a subject's key.
const KeyBytes = 32

// Key is the secret of one subject in one organization.
type Key [KeyBytes]byte

// Keys keeps the keys of subjects: one each, until it is destroyed, and none
// ever after. Subject ids are as sealed.ValidSubject says, or Pseudonyms. Safe
// for concurrent use.
type Keys interface {
	// Key gives the key of a subject: ErrNoKey if there is none, ErrDestroyed if
	// there was one. The answer may be up to 30 seconds old.
	Key(ctx context.Context, organizationID uuid.UUID, subjectID string) (Key, error)

	// Make gives the key of a subject, and makes one if there never was one: of
	// several that ask at once, in any process, all get the same. ErrDestroyed as
	// with Key.
	Make(ctx context.Context, organizationID uuid.UUID, subjectID string) (Key, error)

	// Destroy makes a subject's key unreadable for ever, also where there never was
	// one, and returns when that is durable. requestID is noted with it; destroying
	// again changes nothing.
	Destroy(ctx context.Context, organizationID uuid.UUID, subjectID, requestID string) error
}

// Pseudonyms is the subject id of the key that names are made into subject ids
// with. It is destroyed with the organization only.
const Pseudonyms = "pseudonyms"

var (
	// ErrUnavailable: the key store cannot be reached, or has no key to unwrap with.
	ErrUnavailable = fault.New(fault.Unavailable, "unavailable", "The key store of personal data cannot be reached now. Try again.").WithRule("key-store")

	// ErrErased: a document whose key was destroyed, since it named a person who
	// was erased. Its hash stays as proof that it existed.
	ErrErased = fault.New(fault.Gone, "erased", "This was erased, and cannot be read any more.")

	// ErrPersonErased: a command names a person who was erased, and who is not sealed anew.
	ErrPersonErased = refusal.Violated.WithRule("person-erased")

	// ErrDestroyed: the subject's key was destroyed.
	ErrDestroyed = errors.New("the key was destroyed")

	// ErrNoKey: there is no such key, and never was in this key store.
	ErrNoKey = errors.New("there is no such key")

	// ErrForged: these bytes were not sealed here, or not for this subject, or were changed.
	ErrForged = errors.New("not sealed with this key")
)
