package indicator

import (
	"iter"
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
	EverOff     bool // it was off track at some time, or is
	Epoch       int  // comparability breaks so far; values of different epochs are not compared

	targets  pmap.Map[Target]      // by key
	series   pmap.Map[Measurement] // by key; void ones are kept for their version
	keyByID  pmap.Map[string]      // measurement id → key; for ever
	byHand   pmap.Map[byHand]      // who wrote measurements of which period by hand, by both
	headline pmap.Map[Measurement] // the headline series, void ones included, by period
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
	Epoch  int
	Void   bool
	ByHand bool // a person wrote it last, by voiding it, too
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

// Last gives what was last written for a key, by voiding it, too.
func (s State) Last(p calendar.Period, d Dims) (Measurement, bool) { return s.series.Get(Key(p, d)) }

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

// byHand says that a person wrote a measurement of a period.
type byHand struct {
	period calendar.Period
	person string
}

// Measurers gives the persons who recorded, corrected or voided measurements by
// hand whose period has a day in common with p, sorted: those who may not
// attest p (S10).
func (s State) Measurers(p calendar.Period) []string {
	var ids []string
	for _, h := range s.byHand.All() {
		if h.period.Start <= p.End && p.Start <= h.period.End {
			ids = append(ids, h.person)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
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
			} else {
				s = s.relinked(c)
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
		}, by)
	case MeasurementCorrected:
		s = s.put(Measurement{
			ID: e.MeasurementID, KeyVersion: e.KeyVersion, Period: e.Period, Dims: e.Dims, Reading: e.New,
			Epoch: s.Epoch,
		}, by)
	case MeasurementVoided:
		s = s.put(Measurement{
			ID: e.MeasurementID, KeyVersion: e.KeyVersion, Period: e.Period, Dims: e.Dims, Reading: e.Old,
			Epoch: s.Epoch, Void: true,
		}, by)
	case HealthChanged:
		s.Status = e.To
		s.EverOff = s.EverOff || e.To == OffTrack
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

func (s State) put(m Measurement, by fact.Actor) State {
	if m.ByHand = by.Kind == fact.Person; m.ByHand {
		s.byHand = s.byHand.Set(m.Period.String()+" "+by.ID, byHand{m.Period, by.ID})
	}
	key := Key(m.Period, m.Dims)
	s.series = s.series.Set(key, m)
	s.keyByID = s.keyByID.Set(m.ID, key)
	if m.Dims.equal(s.Definition.Headline) {
		s.headline = s.headline.Set(byPeriod(m.Period), m)
	}
	return s
}

// byPeriod is a key that orders as Period.After does.
func byPeriod(p calendar.Period) string { return string(p.End) + "/" + string(p.Start) }

// gatherHeadline finds the headline series anew.
func (s State) gatherHeadline() (all pmap.Map[Measurement]) {
	for _, m := range s.series.All() {
		if m.Dims.equal(s.Definition.Headline) {
			all = all.Set(byPeriod(m.Period), m)
		}
	}
	return all
}

// latest yields the living values of the headline series, the latest first.
func (s State) latest() iter.Seq[Measurement] {
	return func(yield func(Measurement) bool) {
		for _, m := range s.headline.Backward() {
			if !m.Void && !yield(m) {
				return
			}
		}
	}
}
