package auditdb

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/query"
)

// list is a question for events in the order of positions.
//
// It is answered from branches: each walks one index by a column and the
// position, from one end of the span to as many events as are wanted, and the
// branches are merged. The branches compare rows of column and position, so that
// no other index can serve them: by the primary key, which has the positions in
// order, too, a rare value would be looked for through the whole log.
type list struct {
	after, upTo int64 // positions: behind the one, up to the other

	column string   // of the branches; empty: there is one, by the primary key
	values []string // one branch each; none = nothing is to be found
	rest   []string // further conditions, each with one %d for its argument
	args   []any    // their arguments
}

// of chooses the branches for a filter: the criterion that leaves least. The
// others become conditions.
func (l *list) of(ctx context.Context, tx pgx.Tx, f query.HistoryFilter) error {
	if err := l.between(ctx, tx, f.From, f.To); err != nil {
		return err
	}
	types := slices.Clone(f.Types)
	slices.Sort(types)
	types = slices.Compact(types)
	var roles []string
	if f.Role != "" {
		var err error
		if roles, err = setsWith(ctx, tx, f.Role); err != nil {
			return err
		}
	}
	for _, c := range []struct {
		column string
		values []string
		given  bool
	}{
		{"stream_id", []string{f.StreamID}, f.StreamID != ""},
		{"actor_id", []string{f.ActorID}, f.ActorID != ""},
		{"type", types, len(types) > 0},
		{"strategy_id", []string{f.StrategyID}, f.StrategyID != ""},
		{"actor_roles", roles, f.Role != ""},
	} {
		switch {
		case !c.given:
		case l.column == "":
			l.column, l.values = c.column, c.values
		case c.column == "strategy_id":
			l.rest, l.args = append(l.rest, "(strategy_id = $%[1]d OR moved_from = $%[1]d)"), append(l.args, f.StrategyID)
		default:
			l.rest, l.args = append(l.rest, c.column+" = ANY($%d)"), append(l.args, c.values)
		}
	}
	if f.SubjectID != "" {
		l.rest, l.args = append(l.rest, "subject_id = $%d"), append(l.args, f.SubjectID)
	}
	return nil
}

// between turns instants into positions: later positions are never recorded earlier.
func (l *list) between(ctx context.Context, tx pgx.Tx, from, to time.Time) error {
	if !from.IsZero() {
		first, err := firstSince(ctx, tx, from)
		if err != nil {
			return err
		}
		if first == 0 {
			l.upTo = 0
			return nil
		}
		l.after = max(l.after, first-1)
	}
	if !to.IsZero() {
		first, err := firstSince(ctx, tx, to)
		if err != nil {
			return err
		}
		if first > 0 {
			l.upTo = min(l.upTo, first-1)
		}
	}
	return nil
}

// firstSince is the position of the first event recorded at an instant or later, 0 if there is none.
func firstSince(ctx context.Context, tx pgx.Tx, at time.Time) (int64, error) {
	rows, err := tx.Query(ctx, `SELECT position FROM events WHERE recorded_at >= $1 ORDER BY recorded_at, position LIMIT 1`, at)
	if err != nil {
		return 0, fmt.Errorf("events since %s: %w", at, err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil || len(found) == 0 {
		return 0, err
	}
	return found[0], nil
}

// setsWith are the sets of roles that actors ever held together and that contain
// a role. It steps from one set to the next in the index: there are few.
func setsWith(ctx context.Context, tx pgx.Tx, role string) ([]string, error) {
	rows, err := tx.Query(ctx, `
		WITH RECURSIVE sets (roles) AS (
			(SELECT actor_roles FROM events ORDER BY actor_roles LIMIT 1)
			UNION ALL
			SELECT (SELECT e.actor_roles FROM events e WHERE e.actor_roles > s.roles ORDER BY e.actor_roles LIMIT 1)
			FROM sets s WHERE s.roles IS NOT NULL)
		SELECT roles FROM sets WHERE $1 = ANY(string_to_array(roles, ','))`, role)
	if err != nil {
		return nil, fmt.Errorf("sets of roles: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// partial are the conditions of indexes that do not hold all rows: a question has
// to repeat them to be answered by such an index.
var partial = map[string]string{"subject_id": " AND subject_id <> ''", "rule": " AND rule <> ''"}

// branch gives the conditions of a branch by a column, and its order. The
// arguments before it are the ends of the span.
func (l *list) branch(column string, args *[]any, value string) (condition, order string) {
	*args = append(*args, value)
	n := len(*args)
	return fmt.Sprintf("(%[1]s, position) > ($%[2]d, $1) AND (%[1]s, position) <= ($%[2]d, $2)", column, n), column + ", position"
}

// sql is the question for columns of at most limit events (0: of all), and its arguments.
func (l *list) sql(columns string, limit int) (string, []any) {
	args := []any{l.after, l.upTo}
	rest := ""
	for i, condition := range l.rest {
		args = append(args, l.args[i])
		rest += " AND " + fmt.Sprintf(condition, len(args))
	}
	bound := ""
	if limit > 0 {
		bound = " LIMIT " + strconv.Itoa(limit)
	}
	if l.column == "" {
		return "SELECT " + columns + " FROM events WHERE position > $1 AND position <= $2" + rest + " ORDER BY position" + bound, args
	}
	var branches []string
	add := func(column, value, beside string) {
		condition, order := l.branch(column, &args, value)
		branches = append(branches, "(SELECT position FROM events WHERE "+condition+beside+rest+" ORDER BY "+order+bound+")")
	}
	for _, value := range l.values {
		add(l.column, value, partial[l.column])
		if l.column == "strategy_id" {
			add("moved_from", value, " AND moved_from <> ''")
		}
	}
	// The rows themselves are fetched last, by their key, for those that are wanted.
	return "SELECT " + columns + " FROM (SELECT position AS found FROM (" + strings.Join(branches, " UNION ALL ") + ") b ORDER BY position" + bound + ") p" +
		" CROSS JOIN LATERAL (SELECT * FROM events k WHERE k.position = p.found OFFSET 0) e ORDER BY found", args
}

func (l *list) page(ctx context.Context, tx pgx.Tx, limit int) ([]*row, error) {
	if l.column != "" && len(l.values) == 0 {
		return nil, nil
	}
	sql, args := l.sql(strings.Join(events.Columns(), ", "), limit)
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

// count counts all that the list has.
func (l *list) count(ctx context.Context, tx pgx.Tx) (int64, error) {
	if l.column != "" && len(l.values) == 0 {
		return 0, nil
	}
	args := []any{l.after, l.upTo}
	rest := ""
	for i, condition := range l.rest {
		args = append(args, l.args[i])
		rest += " AND " + fmt.Sprintf(condition, len(args))
	}
	of := "position > $1 AND position <= $2"
	if l.column != "" {
		args = append(args, l.values)
		of = fmt.Sprintf("%s = ANY($%d) AND ", l.column, len(args)) + of
		if l.column == "strategy_id" {
			of = fmt.Sprintf("(strategy_id = ANY($%[1]d) OR moved_from = ANY($%[1]d)) AND position > $1 AND position <= $2", len(args))
		}
	}
	var n int64
	err := tx.QueryRow(ctx, "SELECT count(*) FROM events WHERE "+of+rest, args...).Scan(&n)
	return n, err
}
