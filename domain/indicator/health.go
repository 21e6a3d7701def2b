package indicator

import (
	"slices"

	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/quantity"
)

// progressPlaces is to how many places progress is rounded, for display only.
const progressPlaces = 6

// Health is how an indicator stands, and what that was judged on.
type Health struct {
	Status   Status
	Period   calendar.Period // of the value judged
	Actual   *Reading        // the latest value of the headline series
	Target   *Reading        // for the same period, else the nearest earlier one
	Progress quantity.Number // 1 = reached; only for increase and decrease with a baseline
	Trend    Trend
}

// Health judges the latest value of the headline series (the one without
// dimensions, unless the definition names another). It depends on definition,
// targets and measurements alone; there is no clock in it.
//
//	gap      increase, at_least: (target − actual) / scale; decrease, at_most: (actual − target) / scale
//	scale    |target − baseline| if there is a baseline and it differs, else |target|, else 1
//	status   gap ≤ tolerance.atRisk: on_track; ≤ tolerance.offTrack: at_risk; else off_track
//	         milestone: gap 0 if the descriptor is one of done, or the target's own, else 1
//	progress (actual − baseline) / (target − baseline)
//
// Everything is compared exactly: gap ≤ tolerance as difference ≤ tolerance × scale.
func (s State) Health() Health {
	h := Health{Status: Unknown, Trend: s.trend()}
	last, measured := Measurement{}, false
	for m := range s.latest() {
		last, measured = m, true
		break
	}
	if !measured {
		return h
	}
	h.Period, h.Actual = last.Period, &last.Reading
	target, ok := s.targetFor(last)
	if !ok {
		return h
	}
	h.Target = &target.Reading
	if last.Epoch != s.Epoch || target.Epoch != s.Epoch {
		return h // a comparability break lies between: they do not measure the same
	}
	d := s.Definition
	h.Status = d.judge(last.Reading, target.Reading)
	if base := d.Baseline; base.Given() && (d.Direction == Increase || d.Direction == Decrease) && last.Value.Given() && target.Value.Given() {
		h.Progress = last.Value.Sub(base).Ratio(target.Value.Sub(base), progressPlaces)
	}
	return h
}

func (d Definition) judge(actual, target Reading) Status {
	var behind quantity.Number
	switch d.Direction {
	case Increase, AtLeast:
		behind = target.Value.Sub(actual.Value)
	case Decrease, AtMost:
		behind = actual.Value.Sub(target.Value)
	case Milestone:
		if slices.Contains(d.Done, actual.Descriptor) || actual.Descriptor == target.Descriptor {
			return d.grade("0", "1")
		}
		return d.grade("1", "1")
	default:
		return Unknown
	}
	if !actual.Value.Given() || !target.Value.Given() {
		return Unknown
	}
	return d.grade(behind, d.scale(target.Value))
}

func (d Definition) grade(behind, scale quantity.Number) Status {
	switch {
	case behind.Cmp(d.Tolerance.AtRisk.Mul(scale)) <= 0:
		return OnTrack
	case behind.Cmp(d.Tolerance.OffTrack.Mul(scale)) <= 0:
		return AtRisk
	}
	return OffTrack
}

func (d Definition) scale(target quantity.Number) quantity.Number {
	if d.Baseline.Given() && d.Baseline.Cmp(target) != 0 {
		return target.Sub(d.Baseline).Abs()
	}
	if target.Sign() != 0 {
		return target.Abs()
	}
	return "1"
}

// targetFor is the target of the same period, else of the nearest earlier one
// with the same dims.
func (s State) targetFor(m Measurement) (Target, bool) {
	if t, ok := s.Target(m.Period, m.Dims); ok {
		return t, true
	}
	var nearest Target
	found := false
	for _, t := range s.targets.All() {
		if !t.Dims.equal(m.Dims) || !m.Period.After(t.Period) {
			continue
		}
		if !found || t.Period.After(nearest.Period) {
			nearest, found = t, true
		}
	}
	return nearest, found
}

// trend adds the signs of the last two differences between comparable values,
// turned so that up is good: two steps forward, or one and a rest, is improving.
func (s State) trend() Trend {
	good := 0
	switch s.Definition.Direction {
	case Increase, AtLeast:
		good = 1
	case Decrease, AtMost:
		good = -1
	default:
		return Insufficient
	}
	const needed = 3
	var last []quantity.Number // latest first
	for m := range s.latest() {
		if m.Epoch != s.Epoch || !m.Value.Given() {
			break // a comparability break starts the trend anew
		}
		if last = append(last, m.Value); len(last) == needed {
			break
		}
	}
	if len(last) < needed {
		return Insufficient
	}
	switch sum := good * (last[0].Cmp(last[1]) + last[1].Cmp(last[2])); {
	case sum > 0:
		return Improving
	case sum < 0:
		return Worsening
	}
	return Flat
}

// healthChange is the event for a status that differs after an event from before.
func healthChange(before, after State, causeMeasurementID string) (HealthChanged, bool) {
	h := after.Health()
	if after.Retired || h.Status == before.status() {
		return HealthChanged{}, false
	}
	e := HealthChanged{
		From: before.status(), To: h.Status, Period: h.Period, Target: h.Target, Progress: h.Progress,
		Trend: h.Trend, Rule: after.Definition.Direction, CauseMeasurementID: causeMeasurementID,
	}
	e.Actual = h.Actual
	return e, true
}

// status is what was announced last; before anything was, nothing is known.
func (s State) status() Status {
	if s.Status == "" {
		return Unknown
	}
	return s.Status
}
