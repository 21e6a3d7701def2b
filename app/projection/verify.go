package projection

import (
	"context"
	"time"
)

// VerifyOptions say how Verify goes about it. The zero value looks and leaves
// everything as it is.
type VerifyOptions struct {
	// Repair puts the copy that was made from the log in the place of a live model
	// that differs from it.
	Repair bool
	// Twice makes a second copy if there are differences, and compares the two: if
	// they differ, too, it is the projector that does not do the same thing twice.
	Twice bool
	// Limit is how many differing rows are named; 0 = 100. All are counted.
	Limit int
	// Found is told what differs before anything is repaired, so that no repair
	// wipes out what nobody has recorded: its error ends the verification. It is
	// not called if nothing differs.
	Found func(ctx context.Context, found VerifyReport) error
	// Share is which part of the time the copy is worked on, so that a service has
	// the rest for its callers; 0 = all of it.
	Share float64
}

// What may be the matter with a row.
const (
	Missing = "missing" // the log makes this row, and the live model does not have it
	Extra   = "extra"   // the live model has this row, and the log makes none such
	Changed = "changed" // the row is another one than the log makes
	Altered = "altered" // the table itself: it is gone, or has other columns, or cannot be read
)

// Causes of differences, as far as they can be told.
const (
	// Tampered: somebody else than the projector wrote to the model, or a disk did.
	Tampered = "tampered"
	// SetAside: the live model has set streams aside that can be applied. It was
	// mended by a newer release, and not resumed; or a row that an event rests on
	// was changed by hand, and its stream was set aside for that.
	SetAside = "parked"
	// Projector: two copies made one after the other differ.
	Projector = "projector"
)

// Difference is a row, or with Altered a table, of the live model that is not
// what the log makes of it.
type Difference struct {
	Table        string
	Organization string   // of the row; "" with Altered
	Key          string   // the rest of the primary key: "member_id=…, …"; "" with Altered
	Kind         string   // Missing, Extra, Changed or Altered
	Columns      []string // of a changed row, those that differ
}

// TableReport is what was found in one table.
type TableReport struct {
	Table                   string
	Rows                    int64 // that the log makes
	Missing, Extra, Changed int64
	Altered                 bool
}

// Differing is how many rows differ; a table that is altered counts as one.
func (t TableReport) Differing() int64 {
	n := t.Missing + t.Extra + t.Changed
	if t.Altered {
		n++
	}
	return n
}

// VerifyReport is what a verification found.
type VerifyReport struct {
	Projection    string
	Generation    int   // the live one that was looked at
	Position      int64 // at which both were compared
	Tables        []TableReport
	Differences   []Difference     // at most Limit, table by table in the order of their keys
	Organizations map[string]int64 // differing rows of each organization
	Cause         string           // "" if nothing differs
	Parked        []string         // streams that only the live model has set aside
	Repaired      bool             // the copy made from the log is the live model now
	Took          time.Duration
}

// Rows is how many rows the log makes, in all tables.
func (r VerifyReport) Rows() (n int64) {
	for _, t := range r.Tables {
		n += t.Rows
	}
	return n
}

// Differing is how many rows differ, named or not.
func (r VerifyReport) Differing() (n int64) {
	for _, t := range r.Tables {
		n += t.Differing()
	}
	return n
}
