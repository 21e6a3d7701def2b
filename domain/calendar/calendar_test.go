package calendar_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"strata.dev/strata/domain/calendar"
)

func TestValidDates(t *testing.T) {
	for _, d := range []calendar.Date{"2022-02-28", "2024-02-29", "0001-01-01", "9999-12-31"} {
		if !d.Valid() {
			t.Errorf("%s is refused", d)
		}
	}
	for _, d := range []calendar.Date{"", "2022-02-29", "2022-2-1", "2022-13-01", "0000-01-01", "22-01-01", "2022-01-01T00:00:00Z", "+022-01-01", "20220101"} {
		if d.Valid() {
			t.Errorf("%q is taken", d)
		}
	}
}

func TestDatesOrderAsTheirTextDoes(t *testing.T) {
	start := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		days := rapid.IntRange(0, 3_652_058)
		a, b := days.Draw(t, "a"), days.Draw(t, "b")
		x, y := calendar.Of(start.AddDate(0, 0, a)), calendar.Of(start.AddDate(0, 0, b))
		if !x.Valid() || (x < y) != (a < b) {
			t.Fatalf("%s and %s", x, y)
		}
		if moved := x.AddDays(b - a); moved != y {
			t.Fatalf("%s + %d days = %s, want %s", x, b-a, moved, y)
		}
	})
}

func TestGrids(t *testing.T) {
	period := func(start, end calendar.Date) calendar.Period { return calendar.Period{Start: start, End: end} }
	for _, c := range []struct {
		grid  calendar.Frequency
		p     calendar.Period
		start int
		want  bool
	}{
		{calendar.Year, period("2022-01-01", "2022-12-31"), 1, true},
		{calendar.Year, period("2022-01-01", "2022-12-31"), 0, true},
		{calendar.Year, period("2022-07-01", "2023-06-30"), 1, false},
		{calendar.Year, period("2022-07-01", "2023-06-30"), 7, true},
		{calendar.Year, period("2022-01-01", "2023-12-31"), 1, false},
		{calendar.Year, period("2022-01-02", "2023-01-01"), 1, false},
		{calendar.Half, period("2022-07-01", "2022-12-31"), 1, true},
		{calendar.Half, period("2022-04-01", "2022-09-30"), 1, false},
		{calendar.Half, period("2022-04-01", "2022-09-30"), 10, true},
		{calendar.Quarter, period("2021-10-01", "2021-12-31"), 10, true},
		{calendar.Quarter, period("2021-11-01", "2022-01-31"), 1, false},
		{calendar.Month, period("2024-02-01", "2024-02-29"), 1, true},
		{calendar.Month, period("2024-02-01", "2024-02-28"), 1, false},
		{calendar.Week, period("2024-01-01", "2024-01-07"), 1, true},
		{calendar.Week, period("2024-01-02", "2024-01-08"), 1, false},
		{calendar.Week, period("2024-01-01", "2024-01-08"), 1, false},
		{calendar.Day, period("2024-01-02", "2024-01-02"), 1, true},
		{calendar.Day, period("2024-01-02", "2024-01-03"), 1, false},
		{calendar.Once, period("2011-03-05", "2024-01-03"), 1, true},
		{calendar.Irregular, period("2011-03-05", "2011-03-05"), 1, true},
		{calendar.Irregular, period("2011-03-05", "2011-03-04"), 1, false},
		{calendar.Irregular, period("", "2011-03-04"), 1, false},
		{"fortnight", period("2022-01-01", "2022-12-31"), 1, false},
	} {
		if got := c.grid.Holds(c.p, c.start); got != c.want {
			t.Errorf("%s on the grid %s from month %d: %v, want %v", c.p, c.grid, c.start, got, c.want)
		}
	}
}

func TestPeriodsOrderByEndThenStart(t *testing.T) {
	a := calendar.Period{Start: "2022-01-01", End: "2022-12-31"}
	b := calendar.Period{Start: "2022-07-01", End: "2022-12-31"}
	c := calendar.Period{Start: "2022-01-01", End: "2023-01-01"}
	if a.After(b) || !b.After(a) || b.After(c) || !c.After(a) || a.After(a) {
		t.Error("periods are out of order")
	}
}
