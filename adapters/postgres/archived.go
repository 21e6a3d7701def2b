package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strata.dev/strata/app/archive"
	"strata.dev/strata/app/eventlog"
)

// Archived notes in the log database how far the archive is: for people, and for
// instances that do not archive themselves. It is safe for concurrent use, also by
// several processes.
type Archived struct {
	pool *pgxpool.Pool
}

var _ archive.Progress = (*Archived)(nil)

// OpenArchived prepares connections to the log database that url names, as the role
// that writes the log. A database that is away is connected to later. Close ends it.
func OpenArchived(ctx context.Context, url string) (*Archived, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("progress of the archive: %w", err)
	}
	cfg.MinConns, cfg.MaxConns = 1, 2 // one is there before somebody waits for an answer
	cfg.ConnConfig.ConnectTimeout = connectTimeout
	cfg.ConnConfig.RuntimeParams["application_name"] = "strata archive"
	cfg.ConnConfig.RuntimeParams["statement_timeout"] = "10000"
	// What a crash takes back is noted again; the truth is the store.
	cfg.ConnConfig.RuntimeParams["synchronous_commit"] = "off"
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("progress of the archive: %w", err)
	}
	return &Archived{pool}, nil
}

// Close waits for what is under way and closes the connections.
func (a *Archived) Close() { a.pool.Close() }

// Archived implements archive.Progress. What was noted of a history that the log
// has left counts as far as both have it in common.
func (a *Archived) Archived(ctx context.Context) (int64, error) {
	var at eventlog.Place
	err := a.pool.QueryRow(ctx, `SELECT position, epoch FROM public.cursors WHERE consumer_group = $1`, archive.Group).Scan(&at.Position, &at.Epoch)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, unavailable(fmt.Errorf("progress of the archive: %w", err))
	}
	epochs, err := ReadEpochs(ctx, a.pool)
	if err != nil {
		return 0, unavailable(fmt.Errorf("progress of the archive: %w", err))
	}
	return min(at.Position, epochs.Shared(at.Epoch)), nil
}

// NoteArchived implements archive.Progress.
func (a *Archived) NoteArchived(ctx context.Context, position int64) error {
	_, err := a.pool.Exec(ctx, `INSERT INTO public.cursors AS c (consumer_group, position, epoch, updated_at)
VALUES ($1, $2, (SELECT coalesce(max(number), 1) FROM public.epochs), now())
ON CONFLICT (consumer_group) DO UPDATE SET position = excluded.position, epoch = excluded.epoch, updated_at = excluded.updated_at
WHERE c.position < excluded.position OR c.epoch < excluded.epoch`, archive.Group, position)
	if err != nil {
		return unavailable(fmt.Errorf("progress of the archive: %w", err))
	}
	return nil
}
