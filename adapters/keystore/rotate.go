package keystore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"strata.dev/strata/app/objectstore"
)

// pageSize is how many objects are listed at a time.
const pageSize = 1_000

// Status counts what is in the store.
type Status struct {
	Keys      int            // that can be used
	Destroyed int            // tombstones
	ByKEK     map[string]int // keys by the id of what they are wrapped under
	Wrapping  string         // id of the KEK that wraps now
	Unusable  []string       // objects that are neither, or whose KEK is not in the file; at most 20 are named
	unusable  int
}

// UnusableCount is how many objects cannot be used, named or not.
func (s Status) UnusableCount() int { return s.unusable }

func (s *Status) bad(err error) {
	const named = 20
	if s.unusable++; len(s.Unusable) < named {
		s.Unusable = append(s.Unusable, err.Error())
	}
}

// Status reads every object, and makes sure that every key can be unwrapped.
func (s *Store) Status(ctx context.Context) (Status, error) {
	st := Status{ByKEK: map[string]int{}, Wrapping: s.keks.first.ID}
	err := s.each(ctx, &st, func(p place, o object) error {
		switch _, err := s.keks.unwrap(p, o); {
		case o.destroyed():
			st.Destroyed++
		case err != nil:
			st.ByKEK[o.KEK]++
			st.bad(err)
		default:
			st.ByKEK[o.KEK]++
			st.Keys++
		}
		return nil
	})
	return st, err
}

// Rotate wraps all keys under the first KEK and gives how many it wrapped anew.
// What is wrapped under it already stays, so Rotate can be stopped and begun
// again, and run in two places. progress, if not nil, is called after every page.
// What cannot be unwrapped stays as it is and is an error at the end.
func (s *Store) Rotate(ctx context.Context, progress func(seen, wrapped int)) (wrapped int, err error) {
	var st Status
	seen := 0
	err = s.each(ctx, &st, func(p place, o object) error {
		if seen++; progress != nil && seen%pageSize == 0 {
			progress(seen, wrapped)
		}
		began := time.Now()
		done, err := s.rewrap(ctx, p, o)
		switch {
		case errors.Is(err, errUnknownKEK):
			st.bad(err)
			return nil
		case err != nil:
			s.observe("rotate", "failed", time.Since(began))
			return err
		case done:
			wrapped++
			s.observe("rotate", "made", time.Since(began))
		}
		return nil
	})
	if progress != nil {
		progress(seen, wrapped)
	}
	if err == nil && st.unusable > 0 {
		err = fmt.Errorf("%d objects could not be wrapped anew: %v", st.unusable, st.Unusable)
	}
	return wrapped, err
}

// rewrap puts a key under the first KEK; done = false if it was, or is destroyed.
func (s *Store) rewrap(ctx context.Context, p place, o object) (done bool, err error) {
	for range maxChanges {
		if o.destroyed() || o.KEK == s.keks.first.ID {
			return false, nil
		}
		var version string
		if o, version, err = s.read(ctx, p); err != nil {
			return false, err
		}
		if o.destroyed() || o.KEK == s.keks.first.ID {
			return false, nil
		}
		key, err := s.keks.unwrap(p, o)
		if err != nil {
			return false, err
		}
		fresh, err := s.keks.wrap(p, key, *o.CreatedAt)
		if err != nil {
			return false, err
		}
		err = s.replace(ctx, p, version, fresh)
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, objectstore.ErrChanged) {
			return false, err
		}
	}
	return false, fmt.Errorf("the key of %s changes all the time", p.key())
}

// each visits every object of the store, in order. What is no object of ours is
// counted in st and left alone.
func (s *Store) each(ctx context.Context, st *Status, visit func(place, object) error) error {
	for after := ""; ; {
		page, err := s.objects.List(ctx, "", after, pageSize)
		if err != nil {
			return unavailable(err)
		}
		for _, listed := range page {
			after = listed.Key
			p, err := placeOf(listed.Key)
			if err != nil {
				st.bad(err)
				continue
			}
			body, err := s.objects.Get(ctx, listed.Key)
			if errors.Is(err, objectstore.ErrNotFound) {
				continue // nobody deletes keys; whoever did has seen to it
			}
			if err != nil {
				return unavailable(err)
			}
			o, err := parseObject(body)
			if err != nil {
				st.bad(fmt.Errorf("%s: %w", listed.Key, err))
				continue
			}
			if err := visit(p, o); err != nil {
				return err
			}
		}
		if len(page) < pageSize {
			return nil
		}
	}
}
