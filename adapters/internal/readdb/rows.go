package readdb

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Rows holds a table's rows in memory while events are folded into them.
type Rows[K comparable, R any] struct {
	table    Table[R]
	probe    func(K) *R // a row with nothing but its key
	key      func(*R) K
	rows     map[K]*R // nil value: known not to exist
	dirty    map[K]struct{}
	complete bool // rows holds all there are: what is not in it does not exist
	empty    bool // the table is empty, and being loaded: rows may be copied into it
}

// NewRows makes an empty cache of table. empty promises that the table is empty.
func NewRows[K comparable, R any](table Table[R], empty bool, probe func(K) *R, key func(*R) K) *Rows[K, R] {
	return &Rows[K, R]{
		table: table, probe: probe, key: key,
		rows: map[K]*R{}, dirty: map[K]struct{}{}, complete: empty, empty: empty,
	}
}

// Load brings in the rows of keys that are not known yet.
func (r *Rows[K, R]) Load(ctx context.Context, tx pgx.Tx, keys []K) error {
	_, err := r.LoadNew(ctx, tx, keys)
	return err
}

// LoadNew is Load, and gives the rows that it has brought in.
func (r *Rows[K, R]) LoadNew(ctx context.Context, tx pgx.Tx, keys []K) ([]*R, error) {
	if r.complete {
		return nil, nil
	}
	var probes []*R
	for _, k := range keys {
		if _, known := r.rows[k]; !known {
			r.rows[k] = nil
			probes = append(probes, r.probe(k))
		}
	}
	found, err := r.table.Load(ctx, tx, probes)
	if err != nil {
		return nil, err
	}
	for _, row := range found {
		r.rows[r.key(row)] = row
	}
	return found, nil
}

// LoadBelow brings in all rows whose first columns of the key are those of one
// of keys, and gives those that were not known. It asks each time it is called.
func (r *Rows[K, R]) LoadBelow(ctx context.Context, tx pgx.Tx, keys []K, columns int) ([]*R, error) {
	if r.complete || len(keys) == 0 {
		return nil, nil
	}
	asked := map[K]struct{}{}
	var probes []*R
	for _, k := range keys {
		if _, twice := asked[k]; !twice {
			asked[k] = struct{}{}
			probes = append(probes, r.probe(k))
		}
	}
	found, err := r.table.LoadBelow(ctx, tx, probes, columns)
	if err != nil {
		return nil, err
	}
	fresh := found[:0]
	for _, row := range found {
		if known := r.rows[r.key(row)]; known == nil { // what is in memory may be newer
			r.rows[r.key(row)] = row
			fresh = append(fresh, row)
		}
	}
	return fresh, nil
}

// Get gives the row, or nil if there is none. Only loaded keys may be asked for.
func (r *Rows[K, R]) Get(k K) *R { return r.rows[k] }

// Put sets a row, or notes that the row there was changed.
func (r *Rows[K, R]) Put(k K, row *R) {
	r.rows[k] = row
	r.dirty[k] = struct{}{}
}

// Len is how many keys are held.
func (r *Rows[K, R]) Len() int { return len(r.rows) }

// Flush writes the changed rows. forget drops all of them from memory then.
func (r *Rows[K, R]) Flush(ctx context.Context, tx pgx.Tx, forget bool) error {
	rows := make([]*R, 0, len(r.dirty))
	for k := range r.dirty {
		rows = append(rows, r.rows[k])
	}
	write := r.table.Upsert
	if r.empty {
		write = r.table.Copy
	}
	if err := write(ctx, tx, rows); err != nil {
		return err
	}
	r.dirty = map[K]struct{}{}
	if len(rows) > 0 {
		r.empty = false
	}
	if forget {
		r.rows, r.complete = map[K]*R{}, false
	}
	return nil
}
