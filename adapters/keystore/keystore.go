package keystore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/objectstore"
	"strata.dev/strata/app/personal"
)

const (
	// CacheAge is how long a key is remembered.
	CacheAge = 30 * time.Second

	maxCached = 20_000 // keys; about 150 bytes each
	// maxChanges is how often an object may change under a caller. It changes twice
	// in its life, and at every rotation.
	maxChanges = 20
)

// Options configure a Store.
type Options struct {
	Objects objectstore.Mutable // where the keys are; required
	KEKs    []KEK               // the first wraps, all unwrap; at least one
	Now     func() time.Time    // nil = time.Now

	// Observe hears of every question to the object store: operation is key, make,
	// destroy or rotate, outcome is found, made, none, destroyed or failed. nil = nobody.
	Observe func(operation, outcome string, took time.Duration)
}

// Store implements personal.Keys. Safe for concurrent use.
type Store struct {
	objects objectstore.Mutable
	keks    keyring
	now     func() time.Time
	observe func(operation, outcome string, took time.Duration)
	cache   cache
}

var _ personal.Keys = (*Store)(nil)

// New makes a Store. It asks nothing of the object store yet: see Check.
func New(o Options) (*Store, error) {
	keks, err := newKeyring(o.KEKs)
	if err != nil {
		return nil, fmt.Errorf("key store: %w", err)
	}
	s := &Store{objects: o.Objects, keks: keks, now: o.Now, observe: o.Observe}
	if s.now == nil {
		s.now = time.Now
	}
	if s.observe == nil {
		s.observe = func(string, string, time.Duration) {}
	}
	return s, nil
}

// Key implements personal.Keys.
func (s *Store) Key(ctx context.Context, organizationID uuid.UUID, subjectID string) (personal.Key, error) {
	return s.key(ctx, "key", place{organizationID, subjectID}, false)
}

// Make implements personal.Keys.
func (s *Store) Make(ctx context.Context, organizationID uuid.UUID, subjectID string) (personal.Key, error) {
	return s.key(ctx, "make", place{organizationID, subjectID}, true)
}

func (s *Store) key(ctx context.Context, operation string, p place, create bool) (personal.Key, error) {
	if known, ok := s.cache.get(p, s.now()); ok {
		return known.answer()
	}
	began := time.Now()
	asked := s.now() // an answer is as old as the question
	found, outcome, err := s.load(ctx, p, create)
	s.observe(operation, outcome, time.Since(began))
	if err != nil {
		return personal.Key{}, err
	}
	s.cache.put(p, found, asked)
	return found.answer()
}

// load reads a key; with create it makes one where there is none, and reads
// that: what is used is what the store has.
func (s *Store) load(ctx context.Context, p place, create bool) (k known, outcome string, err error) {
	outcome = "found"
	for range maxChanges {
		o, _, err := s.read(ctx, p)
		switch {
		case err == nil && o.destroyed():
			return known{destroyed: true}, "destroyed", nil
		case err == nil:
			key, err := s.keks.unwrap(p, o)
			if err != nil {
				return known{}, "failed", unavailable(err)
			}
			return known{key: key}, outcome, nil
		case !errors.Is(err, objectstore.ErrNotFound):
			return known{}, "failed", unavailable(err)
		case !create:
			return known{}, "none", personal.ErrNoKey
		}
		var key personal.Key
		if _, err := rand.Read(key[:]); err != nil {
			return known{}, "failed", fmt.Errorf("generate a key: %w", err)
		}
		fresh, err := s.keks.wrap(p, key, s.now())
		if err != nil {
			return known{}, "failed", err
		}
		switch err := s.put(ctx, p, fresh); {
		case err == nil:
			outcome = "made"
		case !errors.Is(err, objectstore.ErrExists): // else somebody was faster
			return known{}, "failed", unavailable(err)
		}
	}
	return known{}, "failed", unavailable(fmt.Errorf("the key of %s changes all the time", p.key()))
}

// Destroy implements personal.Keys.
func (s *Store) Destroy(ctx context.Context, organizationID uuid.UUID, subjectID, requestID string) error {
	p := place{organizationID, subjectID}
	if _, err := placeOf(p.key()); err != nil {
		return fmt.Errorf("destroy a key: %w", err)
	}
	began := time.Now()
	err := s.destroy(ctx, p, tombstone(requestID, s.now()))
	if err != nil {
		s.observe("destroy", "failed", time.Since(began))
		return unavailable(err)
	}
	s.observe("destroy", "destroyed", time.Since(began))
	s.cache.put(p, known{destroyed: true}, s.now())
	return nil
}

func (s *Store) destroy(ctx context.Context, p place, stone object) error {
	for range maxChanges {
		body, version, err := s.objects.Load(ctx, p.key())
		switch {
		case errors.Is(err, objectstore.ErrNotFound):
			err = s.put(ctx, p, stone)
		case err != nil:
			return err
		default:
			// What cannot be read is no tombstone, and is destroyed as well.
			if o, perr := parseObject(body); perr == nil && o.destroyed() {
				return nil
			}
			err = s.replace(ctx, p, version, stone)
		}
		if err == nil {
			return nil
		}
		if !errors.Is(err, objectstore.ErrExists) && !errors.Is(err, objectstore.ErrChanged) {
			return err
		}
	}
	return fmt.Errorf("the key of %s changes all the time", p.key())
}

// Check makes sure that the store answers.
func (s *Store) Check(ctx context.Context) error {
	if _, err := s.objects.List(ctx, "", "", 1); err != nil {
		return unavailable(err)
	}
	return nil
}

func (s *Store) read(ctx context.Context, p place) (o object, version string, err error) {
	body, version, err := s.objects.Load(ctx, p.key())
	if err != nil {
		return object{}, "", err
	}
	if o, err = parseObject(body); err != nil {
		return object{}, "", fmt.Errorf("%s: %w", p.key(), err)
	}
	return o, version, nil
}

func (s *Store) put(ctx context.Context, p place, o object) error {
	body, err := o.encode()
	if err != nil {
		return err
	}
	return s.objects.Put(ctx, p.key(), body)
}

func (s *Store) replace(ctx context.Context, p place, version string, o object) error {
	body, err := o.encode()
	if err != nil {
		return err
	}
	return s.objects.Replace(ctx, p.key(), version, body)
}

func unavailable(err error) error { return personal.ErrUnavailable.Because(err) }
