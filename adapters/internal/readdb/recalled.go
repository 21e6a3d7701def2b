package readdb

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"strata.dev/strata/app/query"
)

// InRecalledTx is InTenantTx over what was known at a cut: the rows of a copy
// (see Recalls), which recall sees to, or the live rows where nothing of the
// organization has been recorded between the two.
func (r *Reader) InRecalledTx(ctx context.Context, ask query.Read, c query.Cut, recall func(context.Context) error, fn func(context.Context, pgx.Tx) error) error {
	if ask.OrganizationID == uuid.Nil {
		return query.ErrNotFound.Detailf("The request names no organization.")
	}
	const attempts = 4 // others may drop it
	for range attempts {
		found, stale, err := r.recalled(ctx, ask, c, fn)
		switch {
		case found && err == nil:
			if stale {
				err = recall(ctx) // so that it stays
			}
			return refusal(ctx, err)
		case err != nil && !vanished(err):
			return refusal(ctx, err)
		}
		if err := recall(ctx); err != nil {
			return refusal(ctx, err)
		}
	}
	return query.ErrUnavailable.Detailf("What was known then is asked for by too many. Try again.")
}

// recalled runs fn over a copy if there is one. stale says that it was not asked
// for lately.
func (r *Reader) recalled(ctx context.Context, ask query.Read, c query.Cut, fn func(context.Context, pgx.Tx) error) (found, stale bool, err error) {
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = pgx.BeginTxFunc(ctx, r.pool, options, func(tx pgx.Tx) error {
		var schema string
		var used *time.Time
		batch := &pgx.Batch{}
		batch.Queue(`SELECT set_config('strata.organization_id', $1, true), set_config('statement_timeout', $2, true)`,
			ask.OrganizationID.String(), strconv.FormatInt(readTimeout.Milliseconds(), 10))
		// A live copy in which something is set aside would leave it out without a word.
		batch.Queue(`
			SELECT schema_name, NULL::timestamptz FROM public.generations g
			WHERE projection = $1 AND state = 'live' AND layout = $2 AND position BETWEEN $3 AND $4
			AND NOT EXISTS (SELECT FROM public.parked p WHERE p.projection = g.projection AND p.generation = g.generation)
			UNION ALL
			SELECT schema_name, used_at FROM public.recalled WHERE organization_id = $5 AND last_event = $6 AND layout = $2
			LIMIT 1`, r.projection, r.layout, c.Last, c.Quiet, ask.OrganizationID, c.LastID).QueryRow(func(row pgx.Row) error {
			err := row.Scan(&schema, &used)
			if errors.Is(err, pgx.ErrNoRows) {
				return nil
			}
			return err
		})
		if err := tx.SendBatch(ctx, batch).Close(); err != nil || schema == "" {
			return err
		}
		found, stale = true, used != nil && time.Since(*used) > touchEvery
		if _, err := tx.Exec(ctx, `SELECT set_config('search_path', quote_ident($1) || ', pg_temp', true)`, schema); err != nil {
			return err
		}
		return fn(ctx, tx)
	})
	return found, stale, err
}

// vanished says that a copy was dropped from under its reader.
func vanished(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	switch pg.Code {
	case "42P01", "3F000", "40P01": // no such table, no such schema, a deadlock with who drops it
		return true
	}
	return false
}
