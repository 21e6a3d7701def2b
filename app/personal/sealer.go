package personal

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"strata.dev/strata/domain/refusal"
	"strata.dev/strata/domain/sealed"
)

// documentVersion begins the bytes of every sealed document.
const documentVersion = 1

// Sealer seals and opens personal data with the keys of a store. Safe for
// concurrent use.
type Sealer struct{ keys Keys }

// NewSealer makes a Sealer that uses the keys of keys.
func NewSealer(keys Keys) *Sealer { return &Sealer{keys} }

// Seal encrypts what is known of a subject, who gets a key if there is none yet.
// The same text always gives the same answer. ErrDestroyed if the subject was
// erased.
func (s *Sealer) Seal(ctx context.Context, organizationID uuid.UUID, subjectID, plaintext string) (string, error) {
	encrypted, err := s.seal(ctx, organizationID, subjectID, []byte(plaintext))
	if err != nil {
		return "", err
	}
	text := sealed.Text(subjectID, encrypted)
	if len(text) > sealed.MaxBytes {
		return "", refusal.Invalid.Detailf("What is said about a person is too long: at most %d bytes once sealed.", sealed.MaxBytes)
	}
	return text, nil
}

// Open gives back what Seal was given; ok = false if the subject was erased.
func (s *Sealer) Open(ctx context.Context, organizationID uuid.UUID, text string) (plaintext string, ok bool, err error) {
	subjectID, encrypted, ok := sealed.Parse(text)
	if !ok {
		return "", false, fmt.Errorf("open a sealed text: %w", ErrForged)
	}
	opened, ok, err := s.open(ctx, organizationID, subjectID, encrypted)
	if ok && !utf8.Valid(opened) {
		return "", false, fmt.Errorf("open a sealed text: it is no text: %w", ErrForged)
	}
	return string(opened), ok, err
}

// SealBytes is Seal for a document: bytes in, bytes out.
func (s *Sealer) SealBytes(ctx context.Context, organizationID uuid.UUID, subjectID string, plaintext []byte) ([]byte, error) {
	encrypted, err := s.seal(ctx, organizationID, subjectID, plaintext)
	if err != nil {
		return nil, err
	}
	return append([]byte{documentVersion}, encrypted...), nil
}

// OpenBytes gives back what SealBytes was given; ok = false if the key was destroyed.
func (s *Sealer) OpenBytes(ctx context.Context, organizationID uuid.UUID, subjectID string, encrypted []byte) (plaintext []byte, ok bool, err error) {
	if len(encrypted) < 1+sealed.MinCipherBytes || encrypted[0] != documentVersion {
		return nil, false, fmt.Errorf("open %s: %w", subjectID, ErrForged)
	}
	return s.open(ctx, organizationID, subjectID, encrypted[1:])
}

// Destroy makes everything that was ever sealed for a subject unreadable, in
// this process at once and in all others within 30 seconds. It can be repeated.
func (s *Sealer) Destroy(ctx context.Context, organizationID uuid.UUID, subjectID, requestID string) error {
	if !sealed.ValidSubject(subjectID) {
		return fmt.Errorf("destroy the key of %q: that is no subject", subjectID)
	}
	return s.keys.Destroy(ctx, organizationID, subjectID, requestID)
}

// Destroyed says whether a subject's key was destroyed.
func (s *Sealer) Destroyed(ctx context.Context, organizationID uuid.UUID, subjectID string) (bool, error) {
	switch _, err := s.keys.Key(ctx, organizationID, subjectID); {
	case errors.Is(err, ErrDestroyed):
		return true, nil
	case errors.Is(err, ErrNoKey):
		return false, nil
	default:
		return false, err
	}
}

// SubjectOf gives the id of who has this name in an organization, for persons
// who are known by their name alone. White space and the way in which a
// character is composed do not matter. An error if nothing else is in the name.
func (s *Sealer) SubjectOf(ctx context.Context, organizationID uuid.UUID, name string) (uuid.UUID, error) {
	folded := strings.Join(strings.Fields(norm.NFC.String(name)), " ")
	if folded == "" {
		return uuid.Nil, errors.New("the subject of a name: it is empty")
	}
	key, err := s.keys.Make(ctx, organizationID, Pseudonyms)
	if err != nil {
		return uuid.Nil, fmt.Errorf("the organization's key of pseudonyms: %w", err)
	}
	var id uuid.UUID
	copy(id[:], sum(key[:], organizationID[:], []byte(folded)))
	id[6] = id[6]&0x0f | 0x80 // version 8: made in a way of our own
	id[8] = id[8]&0x3f | 0x80
	return id, nil
}

// Fingerprint makes the hash of something that names subjects into one that
// nobody can find by guessing their names: it is keyed with the keys of all of
// them. Once one of the keys is destroyed, nobody can tell any more what it is
// the hash of. The order of subjectIDs and repetitions in it do not matter.
func (s *Sealer) Fingerprint(ctx context.Context, organizationID uuid.UUID, subjectIDs []string, hash []byte) ([]byte, error) {
	subjects := slices.Compact(slices.Sorted(slices.Values(subjectIDs)))
	for _, id := range subjects {
		k, err := s.make(ctx, organizationID, id)
		if err != nil {
			return nil, err
		}
		hash = sum(k.fingerprint, hash)
	}
	return hash, nil
}

func (s *Sealer) seal(ctx context.Context, organizationID uuid.UUID, subjectID string, plaintext []byte) ([]byte, error) {
	k, err := s.make(ctx, organizationID, subjectID)
	if err != nil {
		return nil, err
	}
	nonce := sum(k.nonce, plaintext)[:k.aead.NonceSize()]
	return k.aead.Seal(bytes.Clone(nonce), nonce, plaintext, bound(organizationID, subjectID)), nil
}

func (s *Sealer) make(ctx context.Context, organizationID uuid.UUID, subjectID string) (subjectKeys, error) {
	if !sealed.ValidSubject(subjectID) {
		return subjectKeys{}, fmt.Errorf("seal for %q: that is no subject", subjectID)
	}
	key, err := s.keys.Make(ctx, organizationID, subjectID)
	if err != nil {
		return subjectKeys{}, fmt.Errorf("key of %s: %w", subjectID, err)
	}
	return derive(key)
}

func (s *Sealer) open(ctx context.Context, organizationID uuid.UUID, subjectID string, encrypted []byte) ([]byte, bool, error) {
	key, err := s.keys.Key(ctx, organizationID, subjectID)
	if errors.Is(err, ErrDestroyed) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("key of %s: %w", subjectID, err)
	}
	k, err := derive(key)
	if err != nil {
		return nil, false, err
	}
	n := k.aead.NonceSize()
	plaintext, err := k.aead.Open(nil, encrypted[:n], encrypted[n:], bound(organizationID, subjectID))
	if err != nil {
		return nil, false, fmt.Errorf("open what is sealed for %s: %w", subjectID, ErrForged)
	}
	return plaintext, true, nil
}

// bound is what a ciphertext belongs to, and is no good without.
func bound(organizationID uuid.UUID, subjectID string) []byte {
	return append([]byte(organizationID.String()), subjectID...)
}

// subjectKeys are made of one key, so that none is used for two purposes.
type subjectKeys struct {
	aead               cipher.AEAD
	nonce, fingerprint []byte
}

func derive(key Key) (subjectKeys, error) {
	var parts [3][]byte
	for i, purpose := range []string{"strata.personal.v1.encryption", "strata.personal.v1.nonce", "strata.personal.v1.fingerprint"} {
		var err error
		if parts[i], err = hkdf.Expand(sha256.New, key[:], purpose, KeyBytes); err != nil {
			return subjectKeys{}, fmt.Errorf("derive keys: %w", err)
		}
	}
	block, err := aes.NewCipher(parts[0])
	if err != nil {
		return subjectKeys{}, fmt.Errorf("derive keys: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return subjectKeys{}, fmt.Errorf("derive keys: %w", err)
	}
	return subjectKeys{aead: aead, nonce: parts[1], fingerprint: parts[2]}, nil
}

// sum is HMAC-SHA-256 over parts.
func sum(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}
