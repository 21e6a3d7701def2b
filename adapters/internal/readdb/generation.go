package readdb

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// generation is a locked row of public.generations.
type generation struct {
	number    int
	position  int64
	epoch     int // of the log, in which position counts
	layout    int
	hasParked bool
}

// lockLive locks the live generation to the end of the transaction and enters
// its schema. A switch that commits while we wait takes the row from under us:
// then nothing is found, and a second look, with a new snapshot, finds the new one.
func lockLive(ctx context.Context, tx pgx.Tx, projection string) (generation, error) {
	const attempts = 3
	for range attempts {
		g, err := lockGeneration(ctx, tx, projection, `state = 'live'`)
		if !errors.Is(err, pgx.ErrNoRows) {
			return g, err
		}
	}
	return generation{}, fmt.Errorf("projection %s has no live generation: is its database migrated?", projection)
}

// lockBuilding is lockLive for one generation that is being built.
func lockBuilding(ctx context.Context, tx pgx.Tx, projection string, number int) (generation, error) {
	g, err := lockGeneration(ctx, tx, projection, `state = 'building' AND generation = $2`, number)
	if errors.Is(err, pgx.ErrNoRows) {
		return g, fmt.Errorf("generation %d of projection %s is not being built any more", number, projection)
	}
	return g, err
}

// lockGeneration locks in one statement and looks around in a second one, sent
// together: only the second has a snapshot from after the lock, and sees what
// another projector, for which the first one may have waited, has parked.
func lockGeneration(ctx context.Context, tx pgx.Tx, projection, condition string, args ...any) (generation, error) {
	var g generation
	args = append([]any{projection}, args...)
	from := ` FROM public.generations g WHERE projection = $1 AND ` + condition
	batch := &pgx.Batch{}
	batch.Queue(`SELECT generation, position, epoch, layout`+from+` FOR UPDATE`, args...).QueryRow(func(row pgx.Row) error {
		return row.Scan(&g.number, &g.position, &g.epoch, &g.layout)
	})
	batch.Queue(`SELECT EXISTS (SELECT FROM public.parked p WHERE p.projection = $1 AND p.generation = g.generation),
		set_config('search_path', quote_ident(schema_name) || ', pg_temp', true)`+from, args...).QueryRow(func(row pgx.Row) error {
		return row.Scan(&g.hasParked, nil)
	})
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return generation{}, fmt.Errorf("lock the generation: %w", err)
	}
	return g, nil
}

// moveTo sets the checkpoint. The row is locked, so exactly one is there.
func (g generation) moveTo(ctx context.Context, tx pgx.Tx, projection string, position int64) error {
	tag, err := tx.Exec(ctx, `UPDATE public.generations SET position = $3 WHERE projection = $1 AND generation = $2 AND position = $4`,
		projection, g.number, position, g.position)
	if err != nil {
		return fmt.Errorf("move the checkpoint: %w", err)
	}
	if tag.RowsAffected() != 1 {
		return fmt.Errorf("the checkpoint of %s was moved by somebody else from %d", projection, g.position)
	}
	return nil
}
