package readdb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"strata.dev/strata/app/projection"
)

// comparison compares two copies of a model in one snapshot.
type comparison struct {
	tx     pgx.Tx
	live   string // schema of the one that is looked at
	made   string // schema of the one that was made from the log
	limit  int
	report *projection.VerifyReport
}

// enter finds the schemas of two generations, which must be at one position, and
// what only the first has set aside.
func (c *comparison) enter(ctx context.Context, name string, live, made int) error {
	var apart int64
	err := c.tx.QueryRow(ctx, `
		SELECT quote_ident(l.schema_name), quote_ident(m.schema_name), l.position - m.position,
		       ARRAY(SELECT p.stream_id FROM parked p WHERE p.projection = $1 AND p.generation = $2
		             EXCEPT SELECT p.stream_id FROM parked p WHERE p.projection = $1 AND p.generation = $3 ORDER BY 1 LIMIT $4)
		FROM generations l, generations m
		WHERE l.projection = $1 AND l.generation = $2 AND m.projection = $1 AND m.generation = $3`,
		name, live, made, maxParkedShown).Scan(&c.live, &c.made, &apart, &c.report.Parked)
	if err != nil {
		return fmt.Errorf("find generations %d and %d: %w", live, made, err)
	}
	if apart != 0 {
		return fmt.Errorf("generations %d and %d are %d positions apart", live, made, apart)
	}
	c.report.Organizations = map[string]int64{}
	return nil
}

// table compares one table and adds what it finds to the report.
func (c *comparison) table(ctx context.Context, of Content) error {
	found := projection.TableReport{Table: of.Table}
	if err := c.tx.QueryRow(ctx, fmt.Sprintf("SELECT count(*) FROM %s.%s", c.made, of.Table)).Scan(&found.Rows); err != nil {
		return err
	}
	named := len(c.report.Differences)
	err := c.rows(ctx, of, c.live, func(d projection.Difference) {
		switch d.Kind {
		case projection.Missing:
			found.Missing++
		case projection.Extra:
			found.Extra++
		default:
			found.Changed++
		}
		c.report.Organizations[d.Organization]++
		if len(c.report.Differences) < c.limit {
			c.report.Differences = append(c.report.Differences, d)
		}
	})
	if isAltered(err) {
		// Is it their table, or our question?
		if err := c.rows(ctx, of, c.made, func(projection.Difference) {}); err != nil {
			return err
		}
		c.report.Differences = append(c.report.Differences[:named], projection.Difference{Table: of.Table, Kind: projection.Altered})
		found = projection.TableReport{Table: of.Table, Rows: found.Rows, Altered: true}
		err = nil
	}
	c.report.Tables = append(c.report.Tables, found)
	return err
}

// isAltered says that the database could not make sense of a question about a
// table: it is gone, lacks a column, has one of another type, or is forbidden.
func isAltered(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && strings.HasPrefix(pg.Code, "42")
}

// rows tells of the rows of schema live that are not those of the copy made.
func (c *comparison) rows(ctx context.Context, of Content, live string, differs func(projection.Difference)) error {
	return pgx.BeginFunc(ctx, c.tx, func(tx pgx.Tx) error { // under a savepoint: the snapshot outlives an error
		rows, err := tx.Query(ctx, differences(of, live, c.made))
		if err != nil {
			return err
		}
		d := projection.Difference{Table: of.Table}
		_, err = pgx.ForEachRow(rows, []any{&d.Kind, &d.Organization, &d.Key, &d.Columns}, func() error {
			differs(d)
			d.Columns = nil // the next row gets a list of its own
			return nil
		})
		return err
	})
}

// organizationColumn is in every table of every model, as part of its key.
const organizationColumn = "organization_id"

// differences is the query for the rows that are not the same in two schemas, in
// the order of their keys. Images are compared, not values: 1.0 is not 1.00.
func differences(of Content, live, made string) string {
	var same, key, values, changed []string
	for _, k := range of.Key {
		same = append(same, fmt.Sprintf("l.%s = m.%s", k, k))
		if k != organizationColumn {
			key = append(key, fmt.Sprintf("'%s=' || left(coalesce(l.%s, m.%s)::text, 200)", k, k, k))
		}
	}
	for _, col := range of.Columns {
		values = append(values, col)
		if !slices.Contains(of.Key, col) {
			changed = append(changed, fmt.Sprintf("CASE WHEN ROW(l.%s)::record *<> ROW(m.%s)::record THEN '%s' END", col, col, col))
		}
	}
	if len(key) == 0 { // one row for an organization
		key = []string{"'organization_id=' || coalesce(l.organization_id, m.organization_id)::text"}
	}
	first := of.Key[0]
	return fmt.Sprintf(`
		SELECT CASE WHEN l.%[1]s IS NULL THEN '%[2]s' WHEN m.%[1]s IS NULL THEN '%[3]s' ELSE '%[4]s' END,
		       coalesce(l.%[5]s, m.%[5]s)::text, concat_ws(', ', %[6]s),
		       CASE WHEN l.%[1]s IS NOT NULL AND m.%[1]s IS NOT NULL THEN array_remove(ARRAY[%[7]s]::text[], NULL) END
		FROM %[8]s.%[10]s l FULL JOIN %[9]s.%[10]s m ON %[11]s
		WHERE ROW(l.%[12]s)::record *<> ROW(m.%[13]s)::record`,
		first, projection.Missing, projection.Extra, projection.Changed, organizationColumn,
		strings.Join(key, ", "), strings.Join(changed, ", "), live, made, of.Table, strings.Join(same, " AND "),
		strings.Join(values, ", l."), strings.Join(values, ", m."))
}
