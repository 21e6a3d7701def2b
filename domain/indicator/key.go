package indicator

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"strata.dev/strata/domain/calendar"
)

// Key is the one text for a period and dims, equal exactly for equal ones:
// "2022-01-01/2022-12-31" followed for each dimension, sorted by name, by
// |"name"="value" as Go quotes text. Keys order by the start of their period.
func Key(p calendar.Period, d Dims) string {
	if len(d) == 0 {
		return p.String()
	}
	var b strings.Builder
	b.WriteString(p.String())
	for _, name := range slices.Sorted(maps.Keys(d)) {
		b.WriteString("|" + strconv.Quote(name) + "=" + strconv.Quote(d[name]))
	}
	return b.String()
}

func (d Dims) equal(o Dims) bool { return len(d) == len(o) && maps.Equal(d, o) }

// same says whether two readings state the same value: equal numbers whatever
// their original text, and equal descriptors.
func (r Reading) same(o Reading) bool {
	return r.Value == o.Value && r.DescriptorName == o.DescriptorName && r.Descriptor == o.Descriptor
}
