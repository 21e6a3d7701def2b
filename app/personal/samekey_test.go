package personal_test

import (
	"context"

	"github.com/google/uuid"

	"strata.dev/strata/app/personal"
)

// sameKey has one key for everybody.
type sameKey struct{}

func (sameKey) Key(context.Context, uuid.UUID, string) (personal.Key, error) {
	return personal.Key{1}, nil
}

func (sameKey) Make(context.Context, uuid.UUID, string) (personal.Key, error) {
	return personal.Key{1}, nil
}
func (sameKey) Destroy(context.Context, uuid.UUID, string, string) error { return nil }
