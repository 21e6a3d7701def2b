package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/mod/sumdb/tlog"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/ledger"
)

// ledgerConnections is how many statements about the ledger run at the same
// moment: growing, sealing, and requests for tiles and proofs.
const ledgerConnections = 6

// Ledger keeps the tree and its checkpoints in schema ledger of the log database.
// It is safe for concurrent use, also by several processes.
type Ledger struct {
	pool *pgxpool.Pool
}

var _ ledger.Store = (*Ledger)(nil)

// OpenLedger connects to the log database that url names, as the role that writes
// the log. It fails if the database cannot be reached now. Close ends it.
func OpenLedger(ctx context.Context, url string) (*Ledger, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	cfg.MaxConns = ledgerConnections
	cfg.ConnConfig.ConnectTimeout = connectTimeout
	for name, value := range map[string]string{
		"application_name":  "strata ledger",
		"timezone":          "UTC",
		"statement_timeout": "30000",
		// A plan made while the tables were small must not scan them when they are large.
		"enable_seqscan":    "off",
		"enable_bitmapscan": "off",
		// The one row of the state is scanned all the same, at a cost that the planner
		// believes to be enormous: it would compile each statement for 50 ms.
		"jit": "off",
	} {
		cfg.ConnConfig.RuntimeParams[name] = value
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("ledger: %w", err)
	}
	return &Ledger{pool}, nil
}

// Close waits for what is under way and closes the connections.
func (l *Ledger) Close() { l.pool.Close() }

// Size implements ledger.Store.
func (l *Ledger) Size(ctx context.Context) (size int64, err error) {
	err = l.pool.QueryRow(ctx, `SELECT size FROM ledger.state`).Scan(&size)
	return size, l.failed(err, "size of the tiles")
}

// Tiles implements ledger.Store.
func (l *Ledger) Tiles(ctx context.Context, tiles []tlog.Tile) ([][]byte, error) {
	if len(tiles) == 0 {
		return nil, nil
	}
	levels, ns := make([]int32, len(tiles)), make([]int64, len(tiles))
	for i, t := range tiles {
		levels[i], ns[i] = int32(t.L), t.N
	}
	rows, _ := l.pool.Query(ctx, `SELECT t.hashes FROM unnest($1::int[], $2::bigint[]) WITH ORDINALITY AS w (level, n, i)
LEFT JOIN ledger.tiles t ON t.level = w.level AND t.n = w.n ORDER BY w.i`, levels, ns) // CollectRows returns its error
	data, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil {
		return nil, l.failed(err, "read tiles")
	}
	for i, t := range tiles {
		if len(data[i]) < t.W*tlog.HashSize {
			return nil, &ledger.TileError{Tile: t, Got: len(data[i]) / tlog.HashSize}
		}
		data[i] = data[i][:t.W*tlog.HashSize]
	}
	return data, nil
}

// Grow implements ledger.Store.
func (l *Ledger) Grow(ctx context.Context, from, to int64, tiles []ledger.Tile) error {
	levels, ns, hashes := make([]int32, len(tiles)), make([]int64, len(tiles)), make([][]byte, len(tiles))
	for i, t := range tiles {
		levels[i], ns[i], hashes[i] = int32(t.Level), t.N, t.Hashes
	}
	// One statement is one transaction and one round trip. Of two that move the
	// size from the same place, the second waits for the row, finds another size and
	// stores nothing.
	tag, err := l.pool.Exec(ctx, `WITH moved AS (UPDATE ledger.state SET size = $2 WHERE size = $1 RETURNING size)
INSERT INTO ledger.tiles AS t (level, n, hashes)
SELECT w.level, w.n, w.hashes FROM moved, unnest($3::int[], $4::bigint[], $5::bytea[]) AS w (level, n, hashes)
ON CONFLICT (level, n) DO UPDATE SET hashes = excluded.hashes`, from, to, levels, ns, hashes)
	if err == nil && tag.RowsAffected() == 0 {
		return ledger.ErrMoved
	}
	return l.failed(err, "store tiles")
}

// failed makes every failure of the database one of the log.
func (l *Ledger) failed(err error, doing string) error {
	if err == nil {
		return nil
	}
	return eventlog.ErrUnavailable.Because(fmt.Errorf("ledger: %s: %w", doing, err))
}

// none says whether a query found no row.
func none(err error) bool { return errors.Is(err, pgx.ErrNoRows) }
