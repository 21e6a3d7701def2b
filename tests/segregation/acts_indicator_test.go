package segregation

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/indicator"
)

var indicatorActs = []act{
	{"define", 4, (*world).define},
	{"redefine", 3, (*world).redefineIndicator},
	{"relink", 2, (*world).relink},
	{"target", 8, (*world).setTarget},
	{"retire", 4, (*world).retireIndicator},
	{"record", 10, (*world).record},
	{"correct", 7, (*world).correct},
	{"void", 3, (*world).void},
	{"deliver", 6, (*world).deliver},
}

func (w *world) measure(r *rand.Rand, name, id string, call command.Call, c indicator.Command) error {
	return w.attempt(r, name, call, func(p *command.Commands, call command.Call) error {
		_, err := p.Indicators.Execute(w.ctx, call, uuid.MustParse(id), c)
		return err
	})
}

// settled is an indicator whose strategy is not under review: who changes it
// there only makes work.
func (w *world) settled(r *rand.Rand) string {
	id := w.inUse(r, func(m *measure) bool {
		p := w.ledger.strategies[m.strategy]
		return p.working == nil || p.working.submittedBy == ""
	})
	if id == "" || odds(r, 10) {
		return w.inUse(r, nil)
	}
	return id
}

// inUse picks an indicator that is not retired.
func (w *world) inUse(r *rand.Rand, want func(*measure) bool) string {
	return pick(r, w.ledger.indicators, func(m *measure) bool { return !m.retired && (want == nil || want(m)) })
}

// authoring is an author's call on the indicators of strategies, with a second
// person behind it where one is needed, and sometimes where not.
func (w *world) authoring(r *rand.Rand, strategyIDs ...string) command.Call {
	by := w.author(r, strategyIDs[0])
	call := w.as(r, by)
	inForce := slices.ContainsFunc(strategyIDs, func(id string) bool { return w.ledger.strategies[id].inForce != nil })
	if inForce != odds(r, 4) {
		call = w.second(r, call, by, authz.Approver, strategyIDs[len(strategyIDs)-1])
	}
	return call
}

// objectiveOf picks a living objective of a strategy.
func (w *world) objectiveOf(r *rand.Rand, strategyID string) string {
	var ids []string
	for _, e := range w.ledger.strategies[strategyID].inForceOrWorking().elements {
		if !e.goal && !e.retired {
			ids = append(ids, e.id)
		}
	}
	if len(ids) == 0 {
		return w.newID()
	}
	return ids[r.IntN(len(ids))]
}

func (w *world) define(r *rand.Rand) error {
	id := pick(r, w.ledger.strategies, func(p *plan) bool {
		return p.phase != "closed" && (p.working == nil || p.working.submittedBy == "")
	})
	if id == "" {
		return w.driveStrategy(r)
	}
	d := indicator.Definition{
		Name: "Score", Unit: "percent", Type: indicator.Quantitative, Direction: indicator.AtLeast, Frequency: calendar.Year,
		Dimensions: []indicator.Dimension{{Name: "region", Values: []string{"north", "south"}}},
	}
	return w.measure(r, "define-indicator", w.newID(), w.authoring(r, id),
		indicator.DefineIndicator{StrategyID: id, ObjectiveID: w.objectiveOf(r, id), Definition: d})
}

func (w *world) redefineIndicator(r *rand.Rand) error {
	id := w.settled(r)
	if id == "" {
		return w.define(r)
	}
	edits := []indicator.Edit{{Field: "name", New: indicator.Text(strconv.Itoa(r.IntN(999)))}}
	if odds(r, 30) {
		edits = append(edits, indicator.Edit{Field: "toleranceOffTrack", New: indicator.Text("0." + strconv.Itoa(1+r.IntN(8)))})
	}
	return w.measure(r, "redefine-indicator", id, w.authoring(r, w.ledger.indicators[id].strategy),
		indicator.RedefineIndicator{Edits: edits, Reason: "r", ComparabilityBreak: odds(r, 20)})
}

func (w *world) relink(r *rand.Rand) error {
	id, to := w.settled(r), w.living(r)
	if id == "" || to == "" {
		return w.define(r)
	}
	return w.measure(r, "relink-indicator", id, w.authoring(r, w.ledger.indicators[id].strategy, to),
		indicator.RelinkIndicator{StrategyID: to, ObjectiveID: w.objectiveOf(r, to), Reason: "r"})
}

func year(r *rand.Rand) calendar.Period {
	y := strconv.Itoa(1990 + r.IntN(4))
	return calendar.Period{Start: calendar.Date(y + "-01-01"), End: calendar.Date(y + "-12-31")}
}

func (w *world) setTarget(r *rand.Rand) error {
	id := w.settled(r)
	if id == "" {
		return w.define(r)
	}
	return w.measure(r, "set-target", id, w.authoring(r, w.ledger.indicators[id].strategy),
		indicator.SetTarget{Period: year(r), Value: indicator.Stated{Number: strconv.Itoa(5 + r.IntN(2))}, Reason: "r"})
}

func (w *world) retireIndicator(r *rand.Rand) error {
	id := w.settled(r)
	if id == "" || len(w.ledger.indicators) < 3 {
		return w.define(r)
	}
	return w.measure(r, "retire-indicator", id, w.authoring(r, w.ledger.indicators[id].strategy), indicator.RetireIndicator{Reason: "r"})
}

// measuring is a call of somebody who brings values of an indicator: its owner,
// a service account or a source.
func (w *world) measuring(r *rand.Rand, id string) command.Call {
	switch n := r.IntN(10); {
	case n < 3 && len(w.ledger.sources) > 0:
		return w.supplying(r, id)
	case n < 4:
		return w.call(w.person(pick(r, w.ledger.members, func(m *member) bool { return m.service })))
	}
	return w.as(r, w.with(r, authz.IndicatorOwner, w.ledger.indicators[id].strategy))
}

func stated(r *rand.Rand) indicator.Stated { return indicator.Stated{Number: strconv.Itoa(r.IntN(9))} }

func (w *world) record(r *rand.Rand) error {
	id := w.inUse(r, nil)
	if id == "" {
		return w.define(r)
	}
	var dims indicator.Dims
	if odds(r, 20) {
		dims = indicator.Dims{"region": "north"}
	}
	return w.measure(r, "record-measurement", id, w.measuring(r, id), indicator.RecordMeasurement{
		MeasurementID: w.newID(), Period: year(r), Dims: dims, Value: stated(r),
	})
}

// value picks a living value, preferably one whose indicator missed a target.
func (w *world) value(r *rand.Rand) (indicatorID, measurementID string) {
	valued := func(m *measure) bool {
		for _, v := range m.values {
			if !v.void {
				return true
			}
		}
		return false
	}
	id := w.inUse(r, func(m *measure) bool { return valued(m) && w.ledger.explained(m.id) })
	if id == "" || odds(r, 50) {
		if id = w.inUse(r, valued); id == "" {
			return "", ""
		}
	}
	values := w.ledger.indicators[id].values
	keys := slices.DeleteFunc(slices.Sorted(maps.Keys(values)), func(k string) bool { return values[k].void })
	return id, values[keys[r.IntN(len(keys))]].id
}

// proof is evidence for a correction, where there is any.
func (w *world) proof(r *rand.Rand) string {
	if odds(r, 40) {
		return ""
	}
	return pick(r, w.ledger.evidence, nil)
}

func (w *world) correct(r *rand.Rand) error {
	id, measurement := w.value(r)
	if id == "" {
		return w.record(r)
	}
	call := w.measuring(r, id)
	c := indicator.CorrectMeasurement{MeasurementID: measurement, Value: stated(r), Reason: "r", EvidenceID: w.proof(r)}
	if strings.HasPrefix(call.Origin.Kind, "amqp") {
		c.Reason = indicator.SourceRestated
	}
	return w.measure(r, "correct-measurement", id, call, c)
}

func (w *world) void(r *rand.Rand) error {
	id, measurement := w.value(r)
	if id == "" {
		return w.record(r)
	}
	return w.measure(r, "void-measurement", id, w.measuring(r, id),
		indicator.VoidMeasurement{MeasurementID: measurement, Reason: "r", EvidenceID: w.proof(r)})
}

// deliver is a message of a source: what it reports becomes a value, or the
// correction of one, or nothing.
func (w *world) deliver(r *rand.Rand) error {
	id := w.inUse(r, nil)
	if id == "" || len(w.ledger.sources) == 0 {
		return w.registerSource(r)
	}
	var items []command.BatchItem
	for range 1 + r.IntN(3) {
		items = append(items, command.BatchItem{IndicatorID: uuid.MustParse(id), Command: command.Report{RecordMeasurement: indicator.RecordMeasurement{
			MeasurementID: w.newID(), Period: year(r), Value: stated(r),
		}}})
		id = w.inUse(r, nil)
	}
	return w.attempt(r, "deliver", w.supplying(r, id), func(p *command.Commands, call command.Call) error {
		results, err := p.Indicators.RecordBatch(w.ctx, call, items)
		if err != nil {
			return err
		}
		answer := errNothingNew
		for _, result := range results {
			switch {
			case result.Err != nil:
				answer = result.Err
			case result.Result.Position > 0:
				return nil
			}
		}
		return answer
	})
}
