package indicator

import (
	"slices"
	"time"

	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/internal/pmap"
)

// State is what its events say about an indicator; zero if it was never defined.
type State struct {
	ID          string
	StrategyID  string
	ObjectiveID string
	Definition  Definition
	Status      Status // as last announced by HealthChanged; Unknown at first
	Retired     bool
	Epoch       int // comparability breaks so far; values of different epochs are not compared

	targets  pmap.Map[Target]      // by key
	series   pmap.Map[Measurement] // by key; void ones are kept for their version
	keyByID  pmap.Map[string]      // measurement id → key; for ever
	headline []Measurement         // living values of the headline series, by period; never changed in place
	authors  pmap.Map[time.Time]   // persons who defined, redefined, set targets or retired → when last
}

// Target is what is to be reached in a period.
type Target struct {
	Period calendar.Period
	Dims   Dims
	Reading
	Epoch int
}

// Measurement is the state of one key.
type Measurement struct {
	ID         string
	KeyVersion int // changes of this key so far
	Period     calendar.Period
	Dims       Dims
	Reading
	Epoch int
	Void  bool
}

// Exists says whether the indicator was defined.
func (s State) Exists() bool { return s.ID != "" }

// Target gives the target of a key.
func (s State) Target(p calendar.Period, d Dims) (Target, bool) { return s.targets.Get(Key(p, d)) }

// Live gives the living measurement of a key.
func (s State) Live(p calendar.Period, d Dims) (Measurement, bool) {
	m, ok := s.series.Get(Key(p, d))
	return m, ok && !m.Void
}

// LiveByID gives the living measurement with an id.
func (s State) LiveByID(id string) (Measurement, bool) {
	key, ok := s.keyByID.Get(id)
	if !ok {
		return Measurement{}, false
	}
	m, ok := s.series.Get(key)
	return m, ok && !m.Void && m.ID == id
}

// Measurements gives the living measurements in the order of their keys.
func (s State) Measurements() []Measurement {
	var all []Measurement
	for _, m := range s.series.All() {
		if !m.Void {
			all = append(all, m)
		}
	}
	return all
}

// Targets gives the targets in the order of their keys.
func (s State) Targets() []Target {
	var all []Target
	for _, t := range s.targets.All() {
		all = append(all, t)
	}
	return all
}

// AuthorsSince gives the persons who wrote to the definition or the targets
// after an instant, sorted: those who may not approve a revision that contains
// them (S1). The zero time gives all.
func (s State) AuthorsSince(t time.Time) []string {
	var ids []string
	for id, at := range s.authors.All() {
		if at.After(t) {
			ids = append(ids, id)
		}
	}
	return ids
}

// Apply folds one event into the state. It cannot refuse: an event is a fact.
// The state it is called on stays as it was.
func (s State) Apply(by fact.Actor, e Event) State {
	switch e := e.(type) {
	case Defined:
		s.ID, s.StrategyID, s.ObjectiveID, s.Definition = e.IndicatorID, e.StrategyID, e.ObjectiveID, e.Definition
		s.Status = Unknown
		s = s.authoredBy(by)
	case Redefined:
		for _, c := range e.Changes {
			if f, ok := fields[c.Field]; ok {
				f.set(&s.Definition, c.New)
			}
		}
		if e.ComparabilityBreak {
			s.Epoch++
		}
		s.headline = s.gatherHeadline()
		s = s.authoredBy(by)
	case TargetSet:
		s.targets = s.targets.Set(Key(e.Period, e.Dims), Target{Period: e.Period, Dims: e.Dims, Reading: e.Reading, Epoch: s.Epoch})
		s = s.authoredBy(by)
	case MeasurementRecorded:
		s = s.put(Measurement{
			ID: e.MeasurementID, KeyVersion: e.KeyVersion, Period: e.Period, Dims: e.Dims, Reading: e.Reading,
			Epoch: s.Epoch,
		})
	case MeasurementCorrected:
		s = s.put(Measurement{
			ID: e.MeasurementID, KeyVersion: e.KeyVersion, Period: e.Period, Dims: e.Dims, Reading: e.New,
			Epoch: s.Epoch,
		})
	case MeasurementVoided:
		s = s.put(Measurement{
			ID: e.MeasurementID, KeyVersion: e.KeyVersion, Period: e.Period, Dims: e.Dims, Reading: e.Old,
			Epoch: s.Epoch, Void: true,
		})
	case HealthChanged:
		s.Status = e.To
	case Retired:
		s.Retired = true
		s = s.authoredBy(by)
	}
	return s
}

func (s State) authoredBy(by fact.Actor) State {
	if by.Kind == fact.Person {
		s.authors = s.authors.Set(by.ID, by.At)
	}
	return s
}

func (s State) put(m Measurement) State {
	key := Key(m.Period, m.Dims)
	s.series = s.series.Set(key, m)
	s.keyByID = s.keyByID.Set(m.ID, key)
	if m.Dims.equal(s.Definition.Headline) {
		s.headline = withMeasurement(s.headline, m)
	}
	return s
}

// withMeasurement gives the series with m in its place, or without it if void.
// The array given stays as it was: older states hold it.
func withMeasurement(series []Measurement, m Measurement) []Measurement {
	i, found := slices.BinarySearchFunc(series, m, func(a, b Measurement) int { return byPeriod(a.Period, b.Period) })
	switch {
	case found && m.Void:
		return slices.Delete(slices.Clone(series), i, i+1)
	case found:
		series = slices.Clone(series)
		series[i] = m
		return series
	case m.Void:
		return series
	}
	return slices.Insert(slices.Clip(series), i, m)
}

func byPeriod(a, b calendar.Period) int {
	switch {
	case a == b:
		return 0
	case a.After(b):
		return 1
	}
	return -1
}

// gatherHeadline finds the living values of the headline series anew.
func (s State) gatherHeadline() []Measurement {
	var all []Measurement
	for _, m := range s.series.All() {
		if !m.Void && m.Dims.equal(s.Definition.Headline) {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b Measurement) int { return byPeriod(a.Period, b.Period) })
	return all
}
