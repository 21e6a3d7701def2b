package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/ledger"
)

const checkpointColumns = `size, root, note, signed_at`

// Latest implements ledger.Store.
func (l *Ledger) Latest(ctx context.Context, epoch int) (ledger.Checkpoint, bool, error) {
	return l.checkpoint(ctx, `SELECT `+checkpointColumns+` FROM ledger.checkpoints WHERE epoch = $1 ORDER BY size DESC LIMIT 1`, epoch)
}

// At implements ledger.Store.
func (l *Ledger) At(ctx context.Context, epoch int, size int64) (ledger.Checkpoint, bool, error) {
	return l.checkpoint(ctx, `SELECT `+checkpointColumns+` FROM ledger.checkpoints WHERE epoch = $1 AND size = $2`, epoch, size)
}

func (l *Ledger) checkpoint(ctx context.Context, sql string, args ...any) (ledger.Checkpoint, bool, error) {
	rows, _ := l.pool.Query(ctx, sql, args...) // CollectExactlyOneRow returns its error
	c, err := pgx.CollectExactlyOneRow(rows, scanCheckpoint)
	if none(err) {
		return ledger.Checkpoint{}, false, nil
	}
	return c, err == nil, l.failed(err, "read checkpoint")
}

func scanCheckpoint(row pgx.CollectableRow) (c ledger.Checkpoint, err error) {
	var root []byte
	if err = row.Scan(&c.Size, &root, &c.Note, &c.SignedAt); err != nil {
		return c, err
	}
	copy(c.Root[:], root) // 32 bytes: the table says so
	c.SignedAt = c.SignedAt.UTC()
	// Of which log it is says the note alone. One that cannot be read is refused by
	// who verifies it.
	if signed, err := ledger.ParseCheckpoint(c.Note); err == nil {
		c.Origin = signed.Origin
	}
	return c, nil
}

// Save implements ledger.Store. Of two that sign the same size at the same moment
// the second waits for the first, and is given what that one stored.
func (l *Ledger) Save(ctx context.Context, epoch int, c ledger.Checkpoint, vkeys []string) (stored ledger.Checkpoint, err error) {
	err = pgx.BeginFunc(ctx, l.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `INSERT INTO ledger.checkpoints (epoch, size, root, note, signed_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (epoch, size) DO NOTHING`, epoch, c.Size, c.Root[:], c.Note, c.SignedAt)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 1 {
			stored = c
			_, err = tx.Exec(ctx, `INSERT INTO ledger.keys AS k (vkey, first_size, last_size) SELECT v, $2, $2 FROM unnest($1::text[]) v ORDER BY v
ON CONFLICT (vkey) DO UPDATE SET last_size = excluded.last_size WHERE k.last_size < excluded.last_size`, vkeys, c.Size)
			return err
		}
		rows, _ := tx.Query(ctx, `SELECT `+checkpointColumns+` FROM ledger.checkpoints WHERE epoch = $1 AND size = $2`, epoch, c.Size) // CollectExactlyOneRow returns its error
		stored, err = pgx.CollectExactlyOneRow(rows, scanCheckpoint)
		return err
	})
	return stored, l.failed(err, "store checkpoint")
}

// Keys implements ledger.Store.
func (l *Ledger) Keys(ctx context.Context) ([]ledger.SeenKey, error) {
	rows, _ := l.pool.Query(ctx, `SELECT vkey, first_size, last_size FROM ledger.keys ORDER BY first_size, vkey`) // CollectRows returns its error
	keys, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ledger.SeenKey])
	return keys, l.failed(err, "read keys")
}

// Signed gives the newest signed checkpoint of an epoch that is not larger than a
// size: what the archive keeps beside the segments that reach it.
func (l *Ledger) Signed(ctx context.Context, epoch int, upTo int64) (size int64, note []byte, ok bool, err error) {
	c, ok, err := l.checkpoint(ctx, `SELECT `+checkpointColumns+` FROM ledger.checkpoints WHERE epoch = $1 AND size <= $2 ORDER BY size DESC LIMIT 1`, epoch, upTo)
	return c.Size, c.Note, ok, err
}
