// Package calendar holds dates without a time of day, and periods of them.
package calendar

import "time"

// Date is a day as YYYY-MM-DD; "" means that none is given. Valid dates order
// as their text does.
type Date string

// Period is a span of days, both ends included. As part of a plan either end
// may be open (""); of a measurement or target both are given.
type Period struct {
	Start Date `json:"start,omitempty"`
	End   Date `json:"end,omitempty"`
}

// Of is the day of t in UTC.
func Of(t time.Time) Date { return Date(t.UTC().Format(time.DateOnly)) }

// Valid says whether d is a day of the years 1 to 9999.
func (d Date) Valid() bool {
	t, ok := d.time()
	return ok && t.Year() >= 1
}

// AddDays is the day n days after d (before, if n is negative), "" outside of
// what Valid allows.
func (d Date) AddDays(n int) Date {
	t, ok := d.time()
	if !ok {
		return ""
	}
	t = t.AddDate(0, 0, n)
	if t.Year() < 1 || t.Year() > 9999 {
		return ""
	}
	return Date(t.Format(time.DateOnly))
}

func (d Date) time() (time.Time, bool) {
	if len(d) != len(time.DateOnly) {
		return time.Time{}, false
	}
	t, err := time.Parse(time.DateOnly, string(d))
	return t, err == nil
}

// Valid says whether both ends are days and the end is not before the start.
func (p Period) Valid() bool { return p.Start.Valid() && p.End.Valid() && p.End >= p.Start }

// After orders periods by their end, then by their start.
func (p Period) After(o Period) bool {
	if p.End != o.End {
		return p.End > o.End
	}
	return p.Start > o.Start
}

func (p Period) String() string { return string(p.Start) + "/" + string(p.End) }
