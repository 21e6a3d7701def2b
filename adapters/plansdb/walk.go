package plansdb

import (
	"fmt"
	"strconv"
	"strings"
)

// walk is a query for a part of a list in the order of positions. It is written
// so that one index has the order, whatever plan is made: $1 and $2 are the ends
// of the span, and further arguments follow.
type walk struct {
	from       string
	alias      string // of the table whose index is walked, with its dot
	by         string // column of the position
	column     string // that comes before it in the index; "" = the organization alone
	conditions []string
	args       []any
}

func newWalk(from, alias, by string) walk { return walk{from: from, alias: alias, by: by} }

// along chooses another index: the one by column and position.
func (w *walk) along(alias, column, value string) {
	w.alias, w.column = alias, column
	w.where(fmt.Sprintf("(%[1]s%[2]s, %[1]s%[3]s) > (%[4]s, $1) AND (%[1]s%[2]s, %[1]s%[3]s) <= (%[4]s, $2)", alias, column, w.by, w.arg(value)))
}

func (w *walk) where(condition string) { w.conditions = append(w.conditions, condition) }

// arg adds an argument and gives its name.
func (w *walk) arg(v any) string {
	w.args = append(w.args, v)
	return "$" + strconv.Itoa(len(w.args)+2)
}

// condition is all behind FROM, without an order.
func (w *walk) condition() string {
	conditions := w.conditions
	if w.column == "" {
		conditions = append([]string{fmt.Sprintf("%[1]s%[2]s > $1 AND %[1]s%[2]s <= $2", w.alias, w.by)}, conditions...)
	}
	return w.from + " WHERE " + strings.Join(conditions, " AND ")
}

// sql is the query for the first rows of the span; what to select comes first.
func (w *walk) sql(selected string, limit int) string {
	order := w.alias + w.by
	if w.column != "" {
		order = w.alias + w.column + ", " + order
	}
	return selected + " FROM " + w.condition() + " ORDER BY " + order + " LIMIT " + strconv.Itoa(limit)
}

// total is the query for how many rows the span has.
func (w *walk) total() string { return "SELECT count(*) FROM " + w.condition() }

// between are the arguments for a span.
func (w *walk) between(after, cut int64) []any { return append([]any{after, cut}, w.args...) }
