package readdbtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/projection"
)

// Table is a table of a model, as a verification knows it.
type Table struct {
	Name    string
	Columns []string
	Key     []string // begins with organization_id
}

// Tamper writes to the live model as a superuser does who knows no events. In
// every table, as far as it has rows, it changes one, takes one away, and gives
// one to an organization that does not exist. It gives what a verification has to
// find, in its order.
func Tamper(ctx context.Context, adminURL string, tables []Table) (want []projection.Difference, err error) {
	conn, err := pgx.Connect(ctx, adminURL)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `SELECT set_config('search_path', quote_ident(schema_name), true) FROM public.generations WHERE state = 'live'`)
		for _, t := range tables {
			var found []projection.Difference
			if err == nil {
				found, err = t.tamper(ctx, tx)
			}
			want = append(want, found...)
		}
		return err
	})
	return want, err
}

// victim is a row to be tampered with.
type victim struct{ ctid, organization, key string }

func (t Table) tamper(ctx context.Context, tx pgx.Tx) ([]projection.Difference, error) {
	named := t.Key[1:]
	if len(named) == 0 { // one row for an organization
		named = t.Key
	}
	var parts []string
	for _, k := range named {
		parts = append(parts, fmt.Sprintf("'%s=' || %s", k, k))
	}
	rows, err := tx.Query(ctx, fmt.Sprintf(`SELECT ctid::text, organization_id::text, concat_ws(', ', %s) FROM %s ORDER BY %s LIMIT 3`,
		strings.Join(parts, ", "), t.Name, strings.Join(t.Key, ", ")))
	if err != nil {
		return nil, err
	}
	victims, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (v victim, err error) {
		return v, row.Scan(&v.ctid, &v.organization, &v.key)
	})
	if err != nil {
		return nil, err
	}
	var want []projection.Difference
	for i, do := range []func(context.Context, pgx.Tx, victim) ([]projection.Difference, error){t.change, t.take, t.move}[:len(victims)] {
		found, err := do(ctx, tx, victims[i])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.Name, err)
		}
		want = append(want, found...)
	}
	slices.SortStableFunc(want, func(a, b projection.Difference) int { return strings.Compare(a.Organization, b.Organization) })
	return want, nil
}

// change changes all columns that take nearly anything.
func (t Table) change(ctx context.Context, tx pgx.Tx, v victim) ([]projection.Difference, error) {
	rows, err := tx.Query(ctx, `SELECT column_name, CASE data_type WHEN 'text' THEN quote_ident(column_name) || ' || ''!''' WHEN 'jsonb' THEN '''{"tampered": true}'''
			WHEN 'boolean' THEN 'NOT ' || quote_ident(column_name) ELSE quote_ident(column_name) || ' + 1' END
		FROM information_schema.columns WHERE table_schema = (SELECT schema_name FROM public.generations WHERE state = 'live') AND table_name = $1
		AND (data_type IN ('text', 'jsonb', 'boolean') OR column_name = 'version') AND NOT column_name = ANY($2)`, t.Name, t.Key)
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	var column, value string
	if _, err := pgx.ForEachRow(rows, []any{&column, &value}, func() error {
		values[column] = value
		return nil
	}); err != nil {
		return nil, err
	}
	d := projection.Difference{Table: t.Name, Organization: v.organization, Key: v.key, Kind: projection.Changed}
	var sets []string
	for _, c := range t.Columns {
		if values[c] != "" {
			d.Columns, sets = append(d.Columns, c), append(sets, c+" = "+values[c])
		}
	}
	return []projection.Difference{d}, t.write(ctx, tx, "UPDATE "+t.Name+" SET "+strings.Join(sets, ", "), v)
}

func (t Table) take(ctx context.Context, tx pgx.Tx, v victim) ([]projection.Difference, error) {
	d := projection.Difference{Table: t.Name, Organization: v.organization, Key: v.key, Kind: projection.Missing}
	return []projection.Difference{d}, t.write(ctx, tx, "DELETE FROM "+t.Name, v)
}

func (t Table) move(ctx context.Context, tx pgx.Tx, v victim) ([]projection.Difference, error) {
	to := uuid.NewString()
	gone := projection.Difference{Table: t.Name, Organization: v.organization, Key: v.key, Kind: projection.Missing}
	there := projection.Difference{Table: t.Name, Organization: to, Key: strings.ReplaceAll(v.key, "organization_id="+v.organization, "organization_id="+to), Kind: projection.Extra}
	return []projection.Difference{gone, there}, t.write(ctx, tx, "UPDATE "+t.Name+" SET organization_id = '"+to+"'", v)
}

func (t Table) write(ctx context.Context, tx pgx.Tx, sql string, v victim) error {
	tag, err := tx.Exec(ctx, sql+" WHERE ctid = $1::text::tid", v.ctid)
	if err == nil && tag.RowsAffected() != 1 {
		err = fmt.Errorf("%d rows touched, not one", tag.RowsAffected())
	}
	return err
}

// VerifyTampered tampers with every table of a model that has seen all of log, and
// fails the test unless a verification names just that, and repairs it.
func VerifyTampered(t testing.TB, p projection.Projection, log *Log, adminURL string, tables []Table) {
	t.Helper()
	digest := func() projection.Digest {
		d, err := p.Digest(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	verify := func(repair bool) projection.VerifyReport {
		r, err := p.Verify(t.Context(), log, projection.VerifyOptions{Repair: repair, Limit: 1_000}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	before := digest()
	if r := verify(true); r.Differing() != 0 || r.Repaired {
		t.Fatalf("before anybody tampered: %+v", r.Differences)
	}
	want, err := Tamper(t.Context(), adminURL, tables)
	if err != nil {
		t.Fatal(err)
	}
	tampered := digest()
	r := verify(false)
	if diff := cmp.Diff(want, r.Differences); diff != "" || r.Differing() != int64(len(want)) {
		t.Errorf("%d rows were found, %d are to be (-want +got):\n%s", r.Differing(), len(want), diff)
	}
	if digest() != tampered {
		t.Error("a verification that was not to repair has changed the model")
	}
	if r := verify(true); !r.Repaired || digest() != before {
		t.Errorf("not repaired: %+v", r)
	}
	if r := verify(true); r.Differing() != 0 {
		t.Errorf("after the repair: %+v", r.Differences)
	}
	touched := map[string]bool{}
	for _, d := range want {
		touched[d.Table] = true
	}
	t.Logf("%d rows of %d tables tampered with, of %d", len(want), len(touched), r.Rows())
	for _, table := range r.Tables {
		if table.Rows > 0 && !touched[table.Table] {
			t.Errorf("%s was not tampered with", table.Table)
		}
	}
}
