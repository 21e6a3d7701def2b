package readdb

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/fault"
)

// A waiting reader also looks by itself: for a projector in another process, and
// for a switch, which no signal of ours may have seen. It begins with pollFirst,
// since what one waits for mostly comes soon, and doubles up to pollLast: who
// follows the log for hours costs the database little.
const (
	pollFirst = 25 * time.Millisecond
	pollLast  = 400 * time.Millisecond
)

// Reader reads the live generation of a projection, always as one organization.
// Safe for concurrent use.
type Reader struct {
	projection string
	layout     int
	pool       *pgxpool.Pool
	signal     *Signal
}

// OpenReader connects as the reader role, for models of one layout. signal is
// that of the projector in this process, or nil.
func OpenReader(ctx context.Context, url, projection string, layout int, signal *Signal) (*Reader, error) {
	pool, err := openPool(ctx, url, "strata-reader-"+projection, map[string]string{
		"default_transaction_read_only": "on",
		// Everything is looked up by key or read along an index. A plan made for a small
		// table would do otherwise, and be kept while the table grows: for one, read all
		// of an organization and sort it. (What only a sort can do is still sorted.)
		"enable_seqscan": "off", "enable_bitmapscan": "off", "enable_sort": "off",
	})
	if err != nil {
		return nil, err
	}
	if signal == nil {
		signal = &Signal{}
	}
	return &Reader{projection: projection, layout: layout, pool: pool, signal: signal}, nil
}

// Close ends the connections. Nothing else may run any more.
func (r *Reader) Close() { r.pool.Close() }

// Position is how far the live model is.
func (r *Reader) Position(ctx context.Context) (int64, error) {
	var position int64
	err := r.pool.QueryRow(ctx, `SELECT position FROM public.generations WHERE projection = $1 AND state = 'live'`, r.projection).Scan(&position)
	if err != nil {
		return 0, refusal(ctx, fmt.Errorf("position of %s: %w", r.projection, err))
	}
	return position, nil
}

// InTenantTx runs fn in a transaction that can read the live model's rows of
// one organization and nothing else, as of one position, which is at least
// ask.MinPosition. It is the only way to the rows: without the setting that it
// makes, they are not there.
//
// The setting and the schema are local to the transaction: however it ends, by
// a panic or a cancelled ctx too, the connection forgets them or is closed.
func (r *Reader) InTenantTx(ctx context.Context, ask query.Read, fn func(ctx context.Context, tx pgx.Tx, position int64) error) error {
	if ask.OrganizationID == uuid.Nil {
		return query.ErrNotFound.Detailf("The request names no organization.")
	}
	patience := time.NewTimer(ask.Patience())
	defer patience.Stop()
	for poll := pollFirst; ; poll = min(2*poll, pollLast) {
		_, changed := r.signal.Look()
		reached, err := r.once(ctx, ask, fn)
		if err != nil || reached >= ask.MinPosition {
			return refusal(ctx, err)
		}
		if err := r.pause(ctx, changed, patience.C, poll); err != nil {
			return behind(ask.MinPosition, reached, err)
		}
	}
}

var errPatience = errors.New("waited long enough")

func (r *Reader) pause(ctx context.Context, changed <-chan struct{}, patience <-chan time.Time, most time.Duration) error {
	poll := time.NewTimer(most)
	defer poll.Stop()
	select {
	case <-changed:
	case <-poll.C:
	case <-patience:
		return errPatience
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

func behind(wanted, reached int64, err error) error {
	return query.ErrProjectionBehind.
		Detailf("The read database has reached position %d; %d was asked for.", reached, wanted).
		With("wanted", strconv.FormatInt(wanted, 10)).
		With("reached", strconv.FormatInt(reached, 10)).
		Because(err)
}

// once runs fn if the model is far enough, and says how far it is.
func (r *Reader) once(ctx context.Context, ask query.Read, fn func(ctx context.Context, tx pgx.Tx, position int64) error) (position int64, err error) {
	// Repeatable read: the position is that of every row that fn sees.
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	var layout, epoch int
	err = pgx.BeginTxFunc(ctx, r.pool, options, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `
			SELECT position, epoch, layout,
			       set_config('strata.organization_id', $2, true),
			       set_config('statement_timeout', $3, true),
			       set_config('search_path', quote_ident(schema_name) || ', pg_temp', true)
			FROM public.generations WHERE projection = $1 AND state = 'live'`,
			r.projection, ask.OrganizationID.String(), strconv.FormatInt(readTimeout.Milliseconds(), 10)).Scan(&position, &epoch, &layout, nil, nil, nil)
		if err != nil {
			return fmt.Errorf("enter the live generation of %s: %w", r.projection, err)
		}
		if layout != r.layout {
			return query.ErrUnavailable.Detailf("The read database is being rebuilt for another release.")
		}
		if shared, left := left(r.signal.epochs, epoch); left && position > shared {
			return lostHistory(r.projection, position, epoch, shared)
		}
		if position < ask.MinPosition {
			return nil
		}
		return fn(ctx, tx, position)
	})
	return position, err
}

// refusal makes a fault of what is none: the database did not answer, which may
// pass. A caller who has gone is told so.
func refusal(ctx context.Context, err error) error {
	var f *fault.Fault
	switch {
	case err == nil, errors.As(err, &f):
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("read: %w", errors.Join(ctx.Err(), err))
	}
	return query.ErrUnavailable.Because(err)
}
