package calendar

import "time"

// Frequency is the grid that the periods of an indicator lie on.
type Frequency string

// The grids. Year, Half and Quarter count from the month the year starts in;
// Week starts on Mondays; Once and Irregular take any period.
const (
	Year      Frequency = "year"
	Half      Frequency = "half"
	Quarter   Frequency = "quarter"
	Month     Frequency = "month"
	Week      Frequency = "week"
	Day       Frequency = "day"
	Once      Frequency = "once"
	Irregular Frequency = "irregular"
)

// Valid says whether f is one of the grids.
func (f Frequency) Valid() bool {
	switch f {
	case Year, Half, Quarter, Month, Week, Day, Once, Irregular:
		return true
	}
	return false
}

// Holds says whether p lies on the grid, the year starting on the first day of
// the month yearStart (1–12; anything else counts as January).
func (f Frequency) Holds(p Period, yearStart int) bool {
	if !p.Valid() {
		return false
	}
	switch f {
	case Year:
		return p.spans(12, yearStart)
	case Half:
		return p.spans(6, yearStart)
	case Quarter:
		return p.spans(3, yearStart)
	case Month:
		return p.spans(1, yearStart)
	case Week:
		t, _ := p.Start.time()
		return t.Weekday() == time.Monday && p.Start.AddDays(6) == p.End
	case Day:
		return p.Start == p.End
	case Once, Irregular:
		return true
	}
	return false
}

// spans says whether p is exactly n months that begin a multiple of n months
// after the start of a year.
func (p Period) spans(n, yearStart int) bool {
	if yearStart < 1 || yearStart > 12 {
		yearStart = 1
	}
	t, _ := p.Start.time()
	return t.Day() == 1 &&
		(int(t.Month())-yearStart+12)%n == 0 &&
		t.AddDate(0, n, -1).Format(time.DateOnly) == string(p.End)
}
