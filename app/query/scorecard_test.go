package query_test

import (
	"testing"

	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/calendar"
)

// A value is stale from the day on which a whole period behind its own has ended.
func TestFreshness(t *testing.T) {
	for _, c := range []struct {
		end       calendar.Date
		frequency calendar.Frequency
		today     calendar.Date
		status    string
		due       calendar.Date
	}{
		{"2024-12-31", calendar.Year, "2025-12-31", query.Fresh, "2025-12-31"},
		{"2024-12-31", calendar.Year, "2026-01-01", query.Stale, "2025-12-31"},
		{"2024-06-30", calendar.Year, "2025-07-01", query.Stale, "2025-06-30"},
		{"2023-12-31", calendar.Month, "2024-01-31", query.Fresh, "2024-01-31"},
		{"2024-01-31", calendar.Month, "2024-03-01", query.Stale, "2024-02-29"},
		{"2024-09-30", calendar.Quarter, "2024-12-31", query.Fresh, "2024-12-31"},
		{"2024-06-30", calendar.Half, "2025-01-01", query.Stale, "2024-12-31"},
		{"2024-01-07", calendar.Week, "2024-01-14", query.Fresh, "2024-01-14"},
		{"2024-01-07", calendar.Day, "2024-01-09", query.Stale, "2024-01-08"},
		{"2001-01-07", calendar.Once, "2024-01-09", query.Unplanned, ""},
		{"2001-01-07", calendar.Irregular, "2024-01-09", query.Unplanned, ""},
		{"", calendar.Year, "2024-01-09", query.NoValue, ""},
		{"9999-12-31", calendar.Year, "2024-01-09", query.Unplanned, ""},
	} {
		got := query.FreshnessOf(calendar.Period{End: c.end}, c.frequency, c.today)
		if want := (query.Freshness{Status: c.status, DueBy: c.due}); got != want {
			t.Errorf("%s by %s on %s: %+v, want %+v", c.end, c.frequency, c.today, got, want)
		}
	}
}
