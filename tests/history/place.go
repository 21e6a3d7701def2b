package history

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Place is where a value belongs: days and dimension values.
type Place struct {
	Period Period            `json:"period"`
	Dims   map[string]string `json:"dims,omitempty"`
}

// Period is a span of days, both included.
type Period struct {
	Start string `json:"start"`
	End   string `json:"end"`
}

// Key is one text per place.
func (p Place) Key() string {
	dims, err := json.Marshal(p.Dims) // sorts
	if err != nil {
		panic(fmt.Sprintf("history: texts cannot be written: %v", err))
	}
	return p.Period.Start + "/" + p.Period.End + " " + string(dims)
}

// PlaceOf is the place of a published row. Tables say "2016", "2016.0", "2017/18",
// "2018 to 2019", "2016 - Q4", "2013-15", and in one table "17 May to 11 June 2023"
// or no year at all: only a plain year says all that its text says, any other text
// stays as a dimension beside the days it is about. What names no days is about the
// whole Agenda.
func PlaceOf(key map[string]string) Place {
	p := Place{Period: Period{"2015-09-25", "2030-12-31"}, Dims: map[string]string{}}
	for name, text := range key {
		if !strings.EqualFold(name, "year") {
			p.Dims[name] = text
			continue
		}
		period, ok := periodOf(text)
		if ok {
			p.Period = period
		}
		if !ok || !plainYear.MatchString(text) {
			p.Dims[name] = text
		}
	}
	return p
}

var (
	plainYear = regexp.MustCompile(`^[0-9]{4}$`)
	years     = regexp.MustCompile(`^([0-9]{4})(?:\.0|( ?- ?| to |/)([0-9]{2}|[0-9]{4}))?$`)
	quarters  = regexp.MustCompile(`^([0-9]{4})(?: | - )Q([1-4])$`)
)

// periodOf reads the days out of the text in the column of the year.
func periodOf(text string) (Period, bool) {
	if m := quarters.FindStringSubmatch(text); m != nil {
		quarter, _ := strconv.Atoi(m[2]) // one digit
		return months(m[1], 3*quarter-2, 3), true
	}
	m := years.FindStringSubmatch(text)
	if m == nil {
		return Period{}, false
	}
	last := m[3]
	if len(last) == 2 {
		last = m[1][:2] + last
	}
	switch first, _ := strconv.Atoi(m[1]); {
	case last == "":
		return months(m[1], 1, 12), true
	case last == strconv.Itoa(first+1) && strings.TrimSpace(m[2]) != "-":
		return months(m[1], 4, 12), true // a British financial year
	case last > m[1]:
		return Period{m[1] + "-01-01", last + "-12-31"}, true
	}
	return Period{}, false
}

// months are n months from the first day of one on.
func months(year string, first, n int) Period {
	y, _ := strconv.Atoi(year) // four digits
	start := time.Date(y, time.Month(first), 1, 0, 0, 0, 0, time.UTC)
	return Period{start.Format(time.DateOnly), start.AddDate(0, n, -1).Format(time.DateOnly)}
}

// Dimensions are the columns that a table is broken down by, as the API takes them.
func Dimensions(columns []string) []map[string]string {
	all := make([]map[string]string, len(columns))
	for i, name := range columns {
		all[i] = map[string]string{"name": name}
	}
	return all
}

// SameColumns says whether tables are broken down in the same way.
func SameColumns(a, b []string) bool {
	set := func(names []string) map[string]bool {
		all := map[string]bool{}
		for _, n := range names {
			all[n] = true
		}
		return all
	}
	return maps.Equal(set(a), set(b))
}
