package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/proving"
)

// provingConnections is how many statements a verification runs at the same
// moment: a page of events, and the tiles beside it.
const provingConnections = 3

// Proving reads the log for those who verify it: the rows and the ledger as they
// lie there, without relying on any constraint. It needs no right but to read.
// It is safe for concurrent use.
type Proving struct {
	pool *pgxpool.Pool
}

var _ proving.Source = (*Proving)(nil)

// OpenProving connects to the log database. It fails if that cannot be reached
// now. Close ends it.
func OpenProving(ctx context.Context, url string) (*Proving, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("verification: %w", err)
	}
	cfg.MaxConns = provingConnections
	cfg.ConnConfig.ConnectTimeout = connectTimeout
	for name, value := range map[string]string{
		"application_name":              "strata verify",
		"default_transaction_read_only": "on",
		"statement_timeout":             "60000",
		"timezone":                      "UTC",
		// Where the index is, it is used; who removed it does not stop the reading.
		"enable_seqscan":    "off",
		"enable_bitmapscan": "off",
	} {
		cfg.ConnConfig.RuntimeParams[name] = value
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("verification: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, unavailable(fmt.Errorf("verification: %w", err))
	}
	return &Proving{pool}, nil
}

// Close waits for what is under way and closes the connections.
func (p *Proving) Close() { p.pool.Close() }

// Epochs implements eventlog.EpochReader.
func (p *Proving) Epochs(ctx context.Context) (eventlog.Epochs, error) {
	epochs, err := ReadEpochs(ctx, p.pool)
	return epochs, p.failed("epochs", err)
}

// Head implements proving.Source.
func (p *Proving) Head(ctx context.Context) (head int64, err error) {
	err = p.pool.QueryRow(ctx, headSQL).Scan(&head)
	return head, p.failed("head", err)
}

// Between implements proving.Source.
func (p *Proving) Between(ctx context.Context, after, through int64) ([]eventlog.Event, error) {
	rows, _ := p.pool.Query(ctx, `SELECT `+columns+` FROM public.events WHERE position > $1 AND position <= $2 ORDER BY position`, after, through) // CollectRows returns its error
	events, err := pgx.CollectRows(rows, scanEvent)
	return events, p.failed("events", err)
}

// Next implements proving.Source.
func (p *Proving) Next(ctx context.Context, after int64) (next int64, err error) {
	err = p.pool.QueryRow(ctx, `SELECT coalesce((SELECT position FROM public.events WHERE position > $1 ORDER BY position LIMIT 1), 0)`, after).Scan(&next)
	return next, p.failed("next position", err)
}

// PositionAt implements proving.Source. Recorded times never go back with the
// position, so it is found by halving.
func (p *Proving) PositionAt(ctx context.Context, at time.Time) (int64, error) {
	head, err := p.Head(ctx)
	if err != nil {
		return 0, err
	}
	low, high := int64(1), head+1 // of the answer; head+1 = none
	for low < high {
		middle := low + (high-low)/2
		var before bool
		err := p.pool.QueryRow(ctx, `SELECT coalesce((SELECT recorded_at < $2 FROM public.events WHERE position <= $1 ORDER BY position DESC LIMIT 1), true)`, middle, at).Scan(&before)
		if err != nil {
			return 0, p.failed("position at a time", err)
		}
		if before {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low > head {
		return 0, nil
	}
	return low, nil
}

// Tile implements proving.Source.
func (p *Proving) Tile(ctx context.Context, level int, n int64) ([]byte, error) {
	rows, _ := p.pool.Query(ctx, `SELECT hashes FROM ledger.tiles WHERE level = $1 AND n = $2`, level, n) // CollectExactlyOneRow returns its error
	hashes, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[[]byte])
	if none(err) {
		return nil, nil
	}
	return hashes, p.failed("tile", err)
}

const noteColumns = `epoch, size, root, note, signed_at`

// Notes implements proving.Source.
func (p *Proving) Notes(ctx context.Context, after int64) ([]proving.Note, error) {
	rows, _ := p.pool.Query(ctx, `SELECT `+noteColumns+` FROM ledger.checkpoints WHERE size > $1 ORDER BY size, epoch`, after) // CollectRows returns its error
	notes, err := pgx.CollectRows(rows, pgx.RowToStructByPos[proving.Note])
	return notes, p.failed("checkpoints", err)
}

// NewestNote implements proving.Source.
func (p *Proving) NewestNote(ctx context.Context) (proving.Note, error) {
	rows, _ := p.pool.Query(ctx, `SELECT `+noteColumns+` FROM ledger.checkpoints ORDER BY epoch DESC, size DESC LIMIT 1`) // CollectExactlyOneRow returns its error
	note, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[proving.Note])
	if none(err) {
		return proving.Note{}, nil
	}
	return note, p.failed("newest checkpoint", err)
}

func (p *Proving) failed(what string, err error) error {
	if err == nil {
		return nil
	}
	return readError("verification: "+what, err)
}
