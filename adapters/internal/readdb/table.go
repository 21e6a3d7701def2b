package readdb

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// Column is one column of a table of rows R.
type Column[R any] struct {
	Name  string
	typ   string                       // as SQL
	array func(rows []*R) (any, error) // the column of many rows, for unnest
	value func(row *R) (any, error)    // of one, for COPY
	scan  func(row *R) any             // where to scan it to
}

// Col is a column that holds T as it is.
func Col[R, T any](name, typ string, field func(*R) *T) Column[R] {
	return Column[R]{
		Name: name, typ: typ,
		array: func(rows []*R) (any, error) {
			out := make([]T, len(rows))
			for i, r := range rows {
				out[i] = *field(r)
			}
			return out, nil
		},
		value: func(row *R) (any, error) { return *field(row), nil },
		scan:  func(row *R) any { return field(row) },
	}
}

// UUIDCol is a uuid column. pgx would send a uuid.UUID by way of its text, which
// takes most of the time of a COPY.
func UUIDCol[R any](name string, field func(*R) *uuid.UUID) Column[R] {
	return uuidCol(name, func(r *R) pgtype.UUID { return pgtype.UUID{Bytes: *field(r), Valid: true} }, func(r *R) any { return field(r) })
}

// NullUUIDCol is a uuid column that may be null.
func NullUUIDCol[R any](name string, field func(*R) **uuid.UUID) Column[R] {
	return uuidCol(name, func(r *R) (u pgtype.UUID) {
		if id := *field(r); id != nil {
			u = pgtype.UUID{Bytes: *id, Valid: true}
		}
		return u
	}, func(r *R) any { return field(r) })
}

func uuidCol[R any](name string, get func(*R) pgtype.UUID, scan func(*R) any) Column[R] {
	return Column[R]{
		Name: name, typ: "uuid", scan: scan,
		array: func(rows []*R) (any, error) {
			out := make([]pgtype.UUID, len(rows))
			for i, r := range rows {
				out[i] = get(r)
			}
			return out, nil
		},
		value: func(row *R) (any, error) { return get(row), nil },
	}
}

// JSONCol is a jsonb column that holds T as JSON.
func JSONCol[R, T any](name string, field func(*R) *T) Column[R] {
	encode := func(row *R) (string, error) {
		b, err := json.Marshal(field(row))
		return string(b), err
	}
	return Column[R]{
		Name: name, typ: "jsonb",
		array: func(rows []*R) (any, error) {
			out := make([]string, len(rows))
			for i, r := range rows {
				var err error
				if out[i], err = encode(r); err != nil {
					return nil, err
				}
			}
			return out, nil
		},
		value: func(row *R) (any, error) { return encode(row) },
		scan:  func(row *R) any { return field(row) },
	}
}

// Table is how rows R are read and written by key. Make it with NewTable.
type Table[R any] struct {
	name    string
	columns []Column[R]
	keys    int // the first columns are the key
	upsert  string

	plain, other []Column[R] // columns that Pack writes as they are, and as JSON
}

// NewTable describes a table whose first keys columns are its primary key.
// guard names the column that only grows: an older row never replaces a newer.
func NewTable[R any](name string, keys int, guard string, columns ...Column[R]) Table[R] {
	var names, params, picks, sets, conflict []string
	for i, c := range columns {
		arrayType, pick := c.typ, "u."+c.Name
		if c.typ == "jsonb" {
			arrayType, pick = "text", pick+"::jsonb"
		}
		names, picks = append(names, c.Name), append(picks, pick)
		params = append(params, fmt.Sprintf("$%d::%s[]", i+1, arrayType))
		if i < keys {
			conflict = append(conflict, c.Name)
		} else {
			sets = append(sets, c.Name+" = excluded."+c.Name)
		}
	}
	list := strings.Join(names, ", ")
	var plain, other []Column[R]
	for _, c := range columns {
		if isPlain(c.scan(new(R))) {
			plain = append(plain, c)
		} else {
			other = append(other, c)
		}
	}
	return Table[R]{
		plain: plain, other: other,
		name: name, columns: columns, keys: keys,
		upsert: fmt.Sprintf("INSERT INTO %s AS t (%s) SELECT %s FROM unnest(%s) AS u (%s) ON CONFLICT (%s) DO UPDATE SET %s WHERE t.%s < excluded.%s",
			name, list, strings.Join(picks, ", "), strings.Join(params, ", "), list,
			strings.Join(conflict, ", "), strings.Join(sets, ", "), guard, guard),
	}
}

// selectBy is the query for rows by the first n columns of the key, one lookup in
// the primary key's index for each.
//
// It is written so that no plan can be otherwise, since a plan made for a small
// table is kept while the table grows. For a whole key it takes the first row that
// is not before it: row comparison and order are what only the index in the key's
// own order can serve, and LIMIT ends the walk there. (An upper bound would not
// end it: of a row comparison, PostgreSQL stops at the first column only.) For the
// beginning of a key the columns are compared; OFFSET 0 keeps the planner from
// walking the whole table and looking its rows up in the arrays.
func (t Table[R]) selectBy(n int) string {
	var params, names []string
	for i, c := range t.columns[:n] {
		params = append(params, fmt.Sprintf("$%d::%s[]", i+1, c.typ))
		names = append(names, c.Name)
	}
	row := func(of string) string { return "(" + of + strings.Join(names, ", "+of) + ")" }
	lookup, match := fmt.Sprintf("SELECT k.* FROM %s k WHERE %s = %s OFFSET 0", t.name, row("k."), row("u.")), ""
	if n == t.keys {
		order := strings.Trim(row("k."), "()")
		lookup = fmt.Sprintf("SELECT k.* FROM %s k WHERE %s >= %s ORDER BY %s LIMIT 1", t.name, row("k."), row("u."), order)
		match = fmt.Sprintf(" WHERE %s = %s", row("t."), row("u."))
	}
	return fmt.Sprintf("SELECT t.%s FROM unnest(%s) AS u (%s) CROSS JOIN LATERAL (%s) t%s",
		strings.Join(t.Columns(), ", t."), strings.Join(params, ", "), strings.Join(names, ", "), lookup, match)
}

// Content is the table's part in the digest.
func (t Table[R]) Content() Content {
	c := Content{Table: t.name}
	for i, col := range t.columns {
		c.Columns = append(c.Columns, col.Name)
		if i < t.keys {
			c.Key = append(c.Key, col.Name)
		}
	}
	return c
}

// queueLoad queues the query for the rows whose first n columns of the key are
// those of one of probes, which differ in them. Rows that are not there are left out.
func (t Table[R]) queueLoad(batch *pgx.Batch, probes []*R, n int, found func([]*R)) error {
	if len(probes) == 0 {
		return nil
	}
	args := make([]any, n)
	for i, c := range t.columns[:n] {
		var err error
		if args[i], err = c.array(probes); err != nil {
			return fmt.Errorf("load %s: %w", t.name, err)
		}
	}
	batch.Queue(t.selectBy(n), args...).Query(func(rows pgx.Rows) error {
		all, err := pgx.CollectRows(rows, t.Scan)
		if err != nil {
			return fmt.Errorf("load %s: %w", t.name, err)
		}
		found(all)
		return nil
	})
	return nil
}

// Scan reads a row of the table's columns in their order.
func (t Table[R]) Scan(row pgx.CollectableRow) (*R, error) {
	r := new(R)
	return r, row.Scan(t.Into(r)...)
}

// Into gives where to scan the columns of a row to.
func (t Table[R]) Into(r *R) []any {
	into := make([]any, len(t.columns))
	for i, c := range t.columns {
		into[i] = c.scan(r)
	}
	return into
}

// Name is the table's name.
func (t Table[R]) Name() string { return t.name }

// Select is a query for whole rows, without conditions, for Scan.
func (t Table[R]) Select() string {
	return "SELECT " + strings.Join(t.Columns(), ", ") + " FROM " + t.name
}

// SelectAs is the columns of alias for Scan; what they come from is to follow.
func (t Table[R]) SelectAs(alias string) string {
	return "SELECT " + alias + "." + strings.Join(t.Columns(), ", "+alias+".") + " "
}

// Columns lists the names of the columns in their order.
func (t Table[R]) Columns() []string { return t.Content().Columns }

// statementRows bounds one upsert: a statement stays some megabytes large.
const statementRows = 5_000

// QueueUpsert queues the writing of rows, each key at most once.
func (t Table[R]) QueueUpsert(batch *pgx.Batch, rows []*R) error {
	for part := range slices.Chunk(rows, statementRows) {
		args := make([]any, len(t.columns))
		for i, c := range t.columns {
			var err error
			if args[i], err = c.array(part); err != nil {
				return fmt.Errorf("write %s: %s: %w", t.name, c.Name, err)
			}
		}
		batch.Queue(t.upsert, args...)
	}
	return nil
}

// Copy writes rows that are certainly new.
func (t Table[R]) Copy(ctx context.Context, tx pgx.Tx, rows []*R) error {
	if len(rows) == 0 {
		return nil
	}
	values := make([]any, len(t.columns))
	n, err := tx.CopyFrom(ctx, pgx.Identifier{t.name}, t.Columns(), pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
		for j, c := range t.columns {
			var err error
			if values[j], err = c.value(rows[i]); err != nil {
				return nil, err
			}
		}
		return values, nil
	}))
	if err != nil {
		return fmt.Errorf("copy into %s: %w", t.name, err)
	}
	if n != int64(len(rows)) {
		return fmt.Errorf("copy into %s: %d of %d rows arrived", t.name, n, len(rows))
	}
	return nil
}
