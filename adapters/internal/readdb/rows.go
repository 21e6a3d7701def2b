package readdb

import (
	"context"
	"iter"

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
	cold     cold // rows that Unpack brought in
}

// NewRows makes an empty cache of table. empty promises that the table is empty.
func NewRows[K comparable, R any](table Table[R], empty bool, probe func(K) *R, key func(*R) K) *Rows[K, R] {
	return &Rows[K, R]{
		table: table, probe: probe, key: key,
		rows: map[K]*R{}, dirty: map[K]struct{}{}, complete: empty, empty: empty,
	}
}

// Load queues a query for the rows of keys that are not known yet. loaded hears
// of those it brought in; it may be nil.
func (r *Rows[K, R]) Load(batch *pgx.Batch, keys []K, loaded func([]*R)) error {
	if r.complete {
		return nil
	}
	var probes []*R
	for _, k := range keys {
		if _, known := r.rows[k]; !known {
			r.rows[k] = nil
			probes = append(probes, r.probe(k))
		}
	}
	return r.table.queueLoad(batch, probes, r.table.keys, r.take(loaded))
}

// LoadBelow queues a query for all rows whose first columns of the key are those
// of one of keys.
func (r *Rows[K, R]) LoadBelow(batch *pgx.Batch, keys []K, columns int, loaded func([]*R)) error {
	if r.complete {
		return nil
	}
	asked := map[K]struct{}{}
	var probes []*R
	for _, k := range keys {
		if _, twice := asked[k]; !twice {
			asked[k] = struct{}{}
			probes = append(probes, r.probe(k))
		}
	}
	return r.table.queueLoad(batch, probes, columns, r.take(loaded))
}

// take keeps what was found and is not known yet: what is in memory may be newer.
func (r *Rows[K, R]) take(loaded func([]*R)) func([]*R) {
	return func(found []*R) {
		fresh := found[:0]
		for _, row := range found {
			if r.rows[r.key(row)] == nil {
				r.rows[r.key(row)] = row
				fresh = append(fresh, row)
			}
		}
		if loaded != nil {
			loaded(fresh)
		}
	}
}

// Get gives the row, or nil if there is none. Only loaded keys may be asked for.
func (r *Rows[K, R]) Get(k K) *R {
	row := r.rows[k]
	if row != nil {
		r.Warm(row)
	}
	return row
}

// Put sets a row, or notes that the row there was changed.
func (r *Rows[K, R]) Put(k K, row *R) {
	r.rows[k] = row
	r.dirty[k] = struct{}{}
}

// Len is how many keys are held.
func (r *Rows[K, R]) Len() int { return len(r.rows) }

// All gives the rows in memory, in no order.
func (r *Rows[K, R]) All() iter.Seq[*R] {
	return func(yield func(*R) bool) {
		for row := range r.Peek() {
			if r.Warm(row); !yield(row) {
				return
			}
		}
	}
}

// Peek gives the rows in memory, in no order. Of those that Unpack brought in only
// the plain columns are there, until Warm.
func (r *Rows[K, R]) Peek() iter.Seq[*R] {
	return func(yield func(*R) bool) {
		for _, row := range r.rows {
			if row != nil && !yield(row) {
				return
			}
		}
	}
}

// Flush writes the changed rows: it copies them into an empty table, else it
// queues the writing. forget drops all rows from memory.
func (r *Rows[K, R]) Flush(ctx context.Context, tx pgx.Tx, batch *pgx.Batch, forget bool) error {
	rows := make([]*R, 0, len(r.dirty))
	for k := range r.dirty {
		rows = append(rows, r.rows[k])
	}
	var err error
	if r.empty {
		err = r.table.Copy(ctx, tx, rows)
	} else {
		err = r.table.QueueUpsert(batch, rows)
	}
	if err != nil {
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

// Send sends what was queued, in one round trip. An empty batch is nothing to do.
func Send(ctx context.Context, tx pgx.Tx, batch *pgx.Batch) error {
	if batch.Len() == 0 {
		return nil
	}
	return tx.SendBatch(ctx, batch).Close()
}
