package source

import (
	"slices"
	"time"
)

// window is how far back rejections count.
const window = time.Hour

// minute is how many messages were refused in one minute. Counting whole
// minutes bounds what is remembered, however much a source sends.
type minute struct {
	start time.Time
	count int
}

// Rejections is how many messages of the source were refused in the hour before
// an instant, to the minute, since it was last reinstated.
func (s State) Rejections(at time.Time) int {
	n := 0
	for _, m := range s.rejections {
		if m.start.After(at.Add(-window)) && !m.start.After(at) {
			n += m.count
		}
	}
	return n
}

// counted gives the minutes with one more rejection, those that are over left out.
func counted(minutes []minute, at time.Time) []minute {
	start := at.UTC().Truncate(time.Minute)
	var all []minute
	for _, m := range minutes {
		if m.start.After(start.Add(-window)) {
			all = append(all, m)
		}
	}
	// Times of recording never decrease, but for a clock that was set back.
	if i := slices.IndexFunc(all, func(m minute) bool { return m.start.Equal(start) }); i >= 0 {
		all[i].count++
		return all
	}
	return append(all, minute{start, 1})
}
