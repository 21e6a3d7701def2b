package keystore_test

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/google/go-cmp/cmp/cmpopts"

	"strata.dev/strata/adapters/keystore"
	"strata.dev/strata/app/objectstore"
)

var statusOptions = cmpopts.IgnoreUnexported(keystore.Status{})

var errDied = errors.New("the process died")

// failing is a store that dies after some writes, or is away.
type failing struct {
	objectstore.Mutable

	writes int
	done   atomic.Int64
	away   bool
}

func (f *failing) Load(ctx context.Context, key string) ([]byte, string, error) {
	if f.away {
		return nil, "", context.DeadlineExceeded
	}
	return f.Mutable.Load(ctx, key)
}

func (f *failing) List(ctx context.Context, prefix, after string, limit int) ([]objectstore.Object, error) {
	if f.away {
		return nil, context.DeadlineExceeded
	}
	return f.Mutable.List(ctx, prefix, after, limit)
}

func (f *failing) Replace(ctx context.Context, key, version string, body []byte) error {
	if f.done.Add(1) > int64(f.writes) {
		return errDied
	}
	return f.Mutable.Replace(ctx, key, version, body)
}
