package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"strata.dev/strata/app/objectstore"
)

// listPage is how many objects are listed at once.
const listPage = 1_000

// objects is a store as the verifier reads one.
type objects struct{ store objectstore.Store }

// List implements verifier.Objects.
func (o objects) List(ctx context.Context, prefix string) (names []string, err error) {
	for after := ""; ; {
		page, err := o.store.List(ctx, prefix, after, listPage)
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", prefix, err)
		}
		for _, object := range page {
			names = append(names, object.Key)
		}
		if len(page) < listPage {
			return names, nil
		}
		after = names[len(names)-1]
	}
}

// Get implements verifier.Objects.
func (o objects) Get(ctx context.Context, name string) ([]byte, error) {
	body, err := o.store.Get(ctx, name)
	if errors.Is(err, objectstore.ErrNotFound) {
		err = fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return body, err
}
