package memory

import (
	"context"
	"crypto/rand"
	"sync"

	"github.com/google/uuid"

	"strata.dev/strata/app/personal"
)

// Keys is a key store in memory, for unit tests only; the zero value is empty
// and ready. It is safe for concurrent use.
type Keys struct {
	mu   sync.Mutex
	keys map[subject]*personal.Key // nil = destroyed
	down error
}

type subject struct {
	organization uuid.UUID
	id           string
}

var _ personal.Keys = (*Keys)(nil)

// Fail makes every answer err, until it is called with nil.
func (k *Keys) Fail(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.down = err
}

// Key implements personal.Keys.
func (k *Keys) Key(ctx context.Context, organizationID uuid.UUID, subjectID string) (personal.Key, error) {
	return k.key(ctx, subject{organizationID, subjectID}, false)
}

// Make implements personal.Keys.
func (k *Keys) Make(ctx context.Context, organizationID uuid.UUID, subjectID string) (personal.Key, error) {
	return k.key(ctx, subject{organizationID, subjectID}, true)
}

func (k *Keys) key(ctx context.Context, s subject, create bool) (personal.Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.down != nil {
		return personal.Key{}, k.down
	}
	key, ok := k.keys[s]
	switch {
	case ok && key == nil:
		return personal.Key{}, personal.ErrDestroyed
	case ok:
		return *key, ctx.Err()
	case !create:
		return personal.Key{}, personal.ErrNoKey
	}
	key = new(personal.Key)
	if _, err := rand.Read(key[:]); err != nil {
		return personal.Key{}, err
	}
	k.put(s, key)
	return *key, ctx.Err()
}

func (k *Keys) put(s subject, key *personal.Key) {
	if k.keys == nil {
		k.keys = map[subject]*personal.Key{}
	}
	k.keys[s] = key
}

// Destroy implements personal.Keys.
func (k *Keys) Destroy(ctx context.Context, organizationID uuid.UUID, subjectID, _ string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.down != nil {
		return k.down
	}
	k.put(subject{organizationID, subjectID}, nil)
	return ctx.Err()
}
