package readdb

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/projection"
)

// maxParkedShown bounds Status.Parked.
const maxParkedShown = 100

// Status implements projection.Projection.
func (p *Projection[D]) Status(ctx context.Context) (projection.Status, error) {
	s := projection.Status{Name: p.Name()}
	// One snapshot: else a switch in between would show two live ones, or none.
	err := pgx.BeginTxFunc(ctx, p.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT generation, state, position, epoch, started_at FROM generations
			WHERE projection = $1 AND state <> 'retired' ORDER BY generation`, p.Name())
		if err != nil {
			return err
		}
		generations, err := pgx.CollectRows(rows, pgx.RowToStructByPos[projection.Generation])
		if err != nil {
			return err
		}
		for _, g := range generations {
			if g.State == projection.Live {
				s.Generation = g
			} else {
				s.Building = &g
			}
		}
		var v projection.Verified
		switch err := tx.QueryRow(ctx, `SELECT verified_at, verified_position FROM generations
			WHERE projection = $1 AND generation = $2 AND verified_at IS NOT NULL`, s.Name, s.Generation.Number).Scan(&v.At, &v.Position); {
		case err == nil:
			s.Verified = &v
		case !errors.Is(err, pgx.ErrNoRows):
			return err
		}
		return parkedInto(ctx, tx, &s)
	})
	if err != nil {
		return projection.Status{}, fmt.Errorf("status of projection %s: %w", p.Name(), err)
	}
	return s, nil
}

func parkedInto(ctx context.Context, tx pgx.Tx, s *projection.Status) error {
	rows, err := tx.Query(ctx, `
		SELECT stream_id, organization_id::text, position, version, event_id::text, type, reason, parked_at, skipped
		FROM parked WHERE projection = $1 AND generation = $2 ORDER BY position LIMIT $3`, s.Name, s.Generation.Number, maxParkedShown)
	if err != nil {
		return err
	}
	if s.Parked, err = pgx.CollectRows(rows, pgx.RowToStructByPos[projection.Parked]); err != nil {
		return err
	}
	return tx.QueryRow(ctx, `SELECT count(*) FROM parked WHERE projection = $1 AND generation = $2`,
		s.Name, s.Generation.Number).Scan(&s.ParkedTotal)
}

// Digest implements projection.Projection: SHA-256 over the text of all rows,
// table by table in the order of their keys. The tables hold nothing that
// depends on when or in which batches they were filled.
func (p *Projection[D]) Digest(ctx context.Context) (projection.Digest, error) {
	var d projection.Digest
	sum := sha256.New()
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, p.pool, options, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `
			SELECT position, set_config('search_path', quote_ident(schema_name) || ', pg_temp', true)
			FROM public.generations WHERE projection = $1 AND state = 'live'`, p.Name()).Scan(&d.Position, nil)
		if err != nil {
			return err
		}
		for _, c := range p.model.Content() {
			if err := digestTable(ctx, tx, c, sum); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return projection.Digest{}, fmt.Errorf("digest of projection %s: %w", p.Name(), err)
	}
	d.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return d, nil
}

func digestTable(ctx context.Context, tx pgx.Tx, c Content, sum hash.Hash) error {
	if _, err := io.WriteString(sum, c.Table+"\n"); err != nil {
		return err
	}
	_, err := tx.Conn().PgConn().CopyTo(ctx, sum, fmt.Sprintf("COPY (SELECT %s FROM %s ORDER BY %s) TO STDOUT",
		strings.Join(c.Columns, ", "), c.Table, strings.Join(c.Key, ", ")))
	return err
}

// readTimeout bounds a statement of a reader, and with it the life of a read
// transaction: graceOfRetired must be longer.
const readTimeout = 10 * time.Second

// Facts tell how large the database is, in bytes, and what its clock says.
func (p *Projection[D]) Facts(ctx context.Context) (bytes int64, clock time.Time, err error) {
	err = p.pool.QueryRow(ctx, `SELECT pg_database_size(current_database()), clock_timestamp()`).Scan(&bytes, &clock)
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("size and clock of %s: %w", p.Name(), err)
	}
	return bytes, clock, nil
}
