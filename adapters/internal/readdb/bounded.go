package readdb

import (
	"context"
	"time"

	"strata.dev/strata/app/eventlog"
)

// bounded is a log that ends at a position of our choice, and that can be slow.
// Its fields are set only while nobody reads.
type bounded struct {
	log   eventlog.Reader
	end   int64
	share float64   // of the time, that may be worked; 0 = all of it
	since time.Time // when the last batch was given
}

// longestPause bounds one pause: a batch that was waited for long for another
// reason must not be paid for with hours.
const longestPause = 10 * time.Second

// Read implements eventlog.Reader.
func (b *bounded) Read(ctx context.Context, after int64, limit int) ([]eventlog.Event, error) {
	limit = int(min(int64(limit), b.end-after))
	if limit <= 0 {
		return nil, ctx.Err()
	}
	if err := b.pause(ctx); err != nil {
		return nil, err
	}
	return b.log.Read(ctx, after, limit)
}

// pause waits in proportion to the time since the batch before.
func (b *bounded) pause(ctx context.Context) error {
	if b.share <= 0 || b.share >= 1 {
		return nil
	}
	defer func() { b.since = time.Now() }()
	if b.since.IsZero() {
		return nil
	}
	worked := time.Since(b.since)
	rest := time.NewTimer(min(time.Duration(float64(worked)*(1/b.share-1)), longestPause))
	defer rest.Stop()
	select {
	case <-rest.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Head implements eventlog.Reader.
func (b *bounded) Head(ctx context.Context) (int64, error) {
	head, err := b.log.Head(ctx)
	return min(head, b.end), err
}
