package indicator_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/quantity"
)

// judged is an indicator with one target and one value for 2022.
func judged(d indicator.Direction, baseline, target, actual string) indicator.State {
	def := scores
	def.Direction, def.Baseline = d, quantity.Number(baseline)
	events := []past{defined(def)}
	if target != "" {
		events = append(events, past{By: ann, Event: indicator.TargetSet{Period: year(2022), Reading: number(target)}})
	}
	if actual != "" {
		events = append(events, recorded(m1, 2022, actual))
	}
	return state(events...)
}

func TestStatusAndProgress(t *testing.T) {
	for _, c := range []struct {
		direction                indicator.Direction
		baseline, target, actual string
		want                     indicator.Status
		progress                 quantity.Number
	}{
		{indicator.Increase, "", "10", "10", indicator.OnTrack, ""},
		{indicator.Increase, "", "10", "11", indicator.OnTrack, ""},
		{indicator.Increase, "", "10", "9.999999999999999999", indicator.AtRisk, ""},
		{indicator.Increase, "", "10", "9", indicator.AtRisk, ""},
		{indicator.Increase, "", "10", "8.999999999999999999", indicator.OffTrack, ""},
		{indicator.Increase, "5", "10", "9.5", indicator.AtRisk, "0.9"}, // a tenth of 5, not of 10
		{indicator.Increase, "5", "10", "9.4", indicator.OffTrack, "0.88"},
		{indicator.Increase, "5", "10", "20", indicator.OnTrack, "3"},
		{indicator.Increase, "5", "10", "4", indicator.OffTrack, "-0.2"},
		{indicator.Increase, "10", "10", "9.5", indicator.AtRisk, ""}, // a baseline that is the target scales nothing
		{indicator.Increase, "", "0", "-0.1", indicator.AtRisk, ""},   // scale 1
		{indicator.Increase, "", "-10", "-11", indicator.AtRisk, ""},  // scale |−10|
		{indicator.Increase, "1", "4", "2", indicator.OffTrack, "0.333333"},
		{indicator.Decrease, "", "10", "10", indicator.OnTrack, ""},
		{indicator.Decrease, "", "10", "11", indicator.AtRisk, ""},
		{indicator.Decrease, "", "10", "11.01", indicator.OffTrack, ""},
		{indicator.Decrease, "20", "10", "15", indicator.OffTrack, "0.5"},
		{indicator.Decrease, "20", "10", "9", indicator.OnTrack, "1.1"},
		{indicator.AtLeast, "5", "10", "9.6", indicator.AtRisk, ""},
		{indicator.AtLeast, "", "95", "95", indicator.OnTrack, ""},
		{indicator.AtMost, "", "5.53e-05", "0.0000553", indicator.OnTrack, ""},
		{indicator.AtMost, "", "5", "6", indicator.OffTrack, ""},
		{indicator.Undefined, "", "5", "6", indicator.Unknown, ""},
		{indicator.Increase, "", "", "6", indicator.Unknown, ""},
		{indicator.Increase, "", "6", "", indicator.Unknown, ""},
	} {
		h := judged(c.direction, c.baseline, c.target, c.actual).Health()
		if h.Status != c.want || h.Progress != c.progress {
			t.Errorf("%s from %q to %s, now %s: %s %q, want %s %q", c.direction, c.baseline, c.target, c.actual, h.Status, h.Progress, c.want, c.progress)
		}
	}
}

func TestMilestones(t *testing.T) {
	reached := func(descriptor, target string) indicator.Status {
		return state(defined(milestone),
			past{By: ann, Event: indicator.TargetSet{Period: year(2022), Reading: indicator.Reading{Descriptor: target}}},
			past{By: olga, Event: indicator.MeasurementRecorded{MeasurementID: m1, KeyVersion: 1, Period: year(2022), Reading: indicator.Reading{Descriptor: descriptor}}},
		).Health().Status
	}
	for _, c := range []struct {
		descriptor, target string
		want               indicator.Status
	}{
		{"in force", "passed", indicator.OnTrack},
		{"passed", "passed", indicator.OnTrack},
		{"first reading", "passed", indicator.OffTrack},
	} {
		if got := reached(c.descriptor, c.target); got != c.want {
			t.Errorf("%q with target %q: %s, want %s", c.descriptor, c.target, got, c.want)
		}
	}
}

func TestWhichTargetCounts(t *testing.T) {
	h := func(events ...past) indicator.Health {
		return state(append([]past{defined(scores)}, events...)...).Health()
	}
	decade := past{By: ann, Event: indicator.TargetSet{Period: calendar.Period{Start: "2020-01-01", End: "2029-12-31"}, Reading: number("1")}}
	for _, c := range []struct {
		name string
		got  indicator.Health
		want indicator.Health
	}{
		{
			"of the same period", h(target(2021, "1"), target(2022, "9"), recorded(m1, 2022, "5")),
			indicator.Health{Status: indicator.OffTrack, Period: year(2022), Actual: reading(number("5")), Target: reading(number("9")), Trend: indicator.Insufficient},
		},
		{
			"else the nearest earlier one", h(target(2019, "9"), target(2020, "4"), target(2023, "9"), decade, recorded(m1, 2022, "5")),
			indicator.Health{Status: indicator.OnTrack, Period: year(2022), Actual: reading(number("5")), Target: reading(number("4")), Trend: indicator.Insufficient},
		},
		{
			"never a later one", h(target(2023, "4"), recorded(m1, 2022, "5")),
			indicator.Health{Status: indicator.Unknown, Period: year(2022), Actual: reading(number("5")), Trend: indicator.Insufficient},
		},
		{
			"for the latest value, in whatever order they came", h(target(2021, "9"), recorded(m1, 2022, "9"), recorded(m2, 2020, "1")),
			indicator.Health{Status: indicator.OnTrack, Period: year(2022), Actual: reading(number("9")), Target: reading(number("9")), Trend: indicator.Insufficient},
		},
		{
			"not across a comparability break", h(target(2022, "4"), past{By: ann, Event: indicator.Redefined{ComparabilityBreak: true}}, recorded(m1, 2022, "5")),
			indicator.Health{Status: indicator.Unknown, Period: year(2022), Actual: reading(number("5")), Target: reading(number("4")), Trend: indicator.Insufficient},
		},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestHeadlineSeries(t *testing.T) {
	north := indicator.Dims{"region": "north"}
	d := byRegion
	values := []past{
		{By: ann, Event: indicator.TargetSet{Period: year(2022), Dims: north, Reading: number("5")}},
		target(2022, "9"),
		{By: olga, Event: indicator.MeasurementRecorded{MeasurementID: m1, KeyVersion: 1, Period: year(2022), Dims: north, Reading: number("6")}},
		recorded(m2, 2022, "6"),
	}
	if got := state(append([]past{defined(d)}, values...)...).Health().Status; got != indicator.OffTrack {
		t.Errorf("without a headline the series without dimensions counts: %s", got)
	}
	d.Headline = north
	if got := state(append([]past{defined(d)}, values...)...).Health().Status; got != indicator.OnTrack {
		t.Errorf("the headline series counts: %s", got)
	}
	later := past{By: ann, Event: indicator.Redefined{Changes: []indicator.Change{{Field: "headline", New: indicator.Content{Dims: north}}}}}
	if got := state(append(append([]past{defined(byRegion)}, values...), later)...).Health().Status; got != indicator.OnTrack {
		t.Errorf("a redefined headline counts from then on: %s", got)
	}
}

func TestTrend(t *testing.T) {
	brk := past{By: ann, Event: indicator.Redefined{ComparabilityBreak: true}}
	trend := func(d indicator.Direction, events ...past) indicator.Trend {
		def := scores
		def.Direction = d
		return state(append([]past{defined(def)}, events...)...).Health().Trend
	}
	values := func(texts ...string) []past {
		var all []past
		for i, v := range texts {
			all = append(all, recorded(id("measurement", i), 2000+i, v))
		}
		return all
	}
	for _, c := range []struct {
		name string
		got  indicator.Trend
		want indicator.Trend
	}{
		{"up and up", trend(indicator.Increase, values("1", "2", "3")...), indicator.Improving},
		{"up and level", trend(indicator.AtLeast, values("1", "2", "2")...), indicator.Improving},
		{"up and down", trend(indicator.Increase, values("1", "9", "3")...), indicator.Flat},
		{"level", trend(indicator.Increase, values("3", "3", "3")...), indicator.Flat},
		{"down and down", trend(indicator.Increase, values("3", "2", "1")...), indicator.Worsening},
		{"down is good", trend(indicator.Decrease, values("3", "2", "1")...), indicator.Improving},
		{"up is bad", trend(indicator.AtMost, values("1", "2", "3")...), indicator.Worsening},
		{"only the last three", trend(indicator.Increase, values("9", "1", "2", "3")...), indicator.Improving},
		{"two are too few", trend(indicator.Increase, values("1", "2")...), indicator.Insufficient},
		{"no direction", trend(indicator.Undefined, values("1", "2", "3")...), indicator.Insufficient},
		{"a break starts anew", trend(indicator.Increase, append(append(values("1", "2", "3"), brk), recorded(id("m", 7), 2007, "9"))...), indicator.Insufficient},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s, want %s", c.name, c.got, c.want)
		}
	}
}
