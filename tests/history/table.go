package history

import "fmt"

// Tables is the published texts by indicator and place: the plain model that the
// log is compared with.
type Tables map[string]map[string]string

// Apply changes the tables as the statistics office did. An error says where the
// change and the tables contradict each other.
func (t Tables) Apply(c Change) error {
	rows := t[c.Indicator]
	if rows == nil {
		rows = map[string]string{}
		t[c.Indicator] = rows
	}
	is := func(key map[string]string, want string) (string, error) {
		at := PlaceOf(key).Key()
		if text, ok := rows[at]; !ok || text != want {
			return at, fmt.Errorf("commit %s, indicator %s: %s is %q (there: %v), and the change says %q", c.Commit, c.Indicator, at, text, ok, want)
		}
		return at, nil
	}
	for _, r := range c.Removed {
		at, err := is(r.Key, r.Text)
		if err != nil {
			return err
		}
		delete(rows, at)
	}
	for _, r := range c.Changed {
		at, err := is(r.Key, r.Old)
		if err != nil {
			return err
		}
		rows[at] = r.New
	}
	for _, r := range c.Added {
		at := PlaceOf(r.Key).Key()
		if text, ok := rows[at]; ok {
			return fmt.Errorf("commit %s, indicator %s: %s is added and is there already, as %q", c.Commit, c.Indicator, at, text)
		}
		rows[at] = r.Text
	}
	if len(rows) != c.RowsAfter {
		return fmt.Errorf("commit %s: indicator %s has %d rows and should have %d", c.Commit, c.Indicator, len(rows), c.RowsAfter)
	}
	return nil
}

// Rows is how many rows all tables have.
func (t Tables) Rows() (n int) {
	for _, rows := range t {
		n += len(rows)
	}
	return n
}
