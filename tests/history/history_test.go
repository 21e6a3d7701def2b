package history_test

import (
	"path/filepath"
	"testing"

	"strata.dev/strata/domain/quantity"
	"strata.dev/strata/tests/history"
	"strata.dev/strata/tests/system"
)

// source is a history and what was counted in it.
type source struct {
	name    string
	path    func(t *testing.T) string
	checked bool // every answer, against the contract
	want    counts
}

// counts of a history.
type counts struct {
	Changes, Indicators         int
	Recorded, Corrected, Voided int
	Live                        int

	Accepted, SelfAccepted, Unasked int // changes that somebody else accepted, that their author did, that nobody did

	NoNumber     int // values recorded, or corrected to, that are no numbers
	TextOnly     int // corrections of how a number is written
	Redefinition int // tables broken down in another way than before
}

func (c *counts) accepted(change history.Change) {
	c.Changes++
	switch change.AcceptedBy {
	case "":
		c.Unasked++
	case change.Author:
		c.SelfAccepted++
	default:
		c.Accepted++
	}
}

// recorded counts a value; number is "" if it is none.
func (c *counts) recorded(number string) {
	c.Recorded++
	if number == "" {
		c.NoNumber++
	}
}

func (c *counts) corrected(old, text, number string) {
	c.Corrected++
	if number == "" {
		c.NoNumber++
	}
	x, ok := quantity.Parse(old)
	y, also := quantity.Parse(text)
	if ok && also && x == y {
		c.TextOnly++
	}
}

var part = source{
	name: "part",
	path: func(t *testing.T) string {
		root, err := system.Root()
		if err != nil {
			t.Fatal(err)
		}
		return filepath.Join(root, "tests/testdata/sdg/changes.jsonl.gz")
	},
	checked: true,
	want: counts{
		Changes: 173, Indicators: 20, Recorded: 3_739, Corrected: 496, Voided: 2_309, Live: 1_430,
		Accepted: 18, SelfAccepted: 82, Unasked: 73, NoNumber: 273, TextOnly: 3, Redefinition: 93,
	},
}

var whole = source{
	name: "whole",
	path: func(t *testing.T) string { return beside(t, "sdg", "uk", "changes.jsonl.gz") },
	want: counts{
		Changes: 958, Indicators: 120, Recorded: 56_209, Corrected: 9_223, Voided: 44_687, Live: 11_522,
		Accepted: 157, SelfAccepted: 453, Unasked: 348, NoNumber: 948, TextOnly: 937, Redefinition: 530,
	},
}

func (s source) read(t *testing.T) []history.Change {
	t.Helper()
	changes, err := history.ReadChanges(s.path(t))
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

// The data hold what was counted in them, and the plain model can follow them:
// else nothing that is compared with it means anything.
func TestTheHistoriesHoldWhatWasCounted(t *testing.T) {
	for _, s := range []source{part, whole} {
		t.Run(s.name, func(t *testing.T) {
			tables, have := history.Tables{}, counts{}
			columns := map[string][]string{}
			for _, c := range s.read(t) {
				if err := tables.Apply(c); err != nil {
					t.Fatal(err)
				}
				have.accepted(c)
				have.Voided += len(c.Removed)
				for _, r := range c.Added {
					have.recorded(history.StatedAs(r.Text).Value)
				}
				for _, r := range c.Changed {
					have.corrected(r.Old, r.New, history.StatedAs(r.New).Value)
				}
				if before, ok := columns[c.Indicator]; ok && !history.SameColumns(before, c.Dims) {
					have.Redefinition++
				}
				columns[c.Indicator] = c.Dims
			}
			have.Indicators, have.Live = len(tables), tables.Rows()
			if have != s.want {
				t.Errorf("counted %+v, want %+v", have, s.want)
			}
		})
	}
}
