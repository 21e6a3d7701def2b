package segregation

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// measure is an indicator as its events add up.
type measure struct {
	id, strategy, objective string
	definition              map[string]any
	epoch                   int
	targets                 map[string]target
	values                  map[string]value // by key
	byHand                  []written
	wrote                   []authorship // who wrote to definition or targets, and where it then was
	status                  string
	missed, retired         bool // missed: it was off track at some time
}

type target struct {
	period  period
	dims    map[string]any
	reading map[string]any
	epoch   int
}

type value struct {
	id, byKind string // byKind: who wrote it last, or took it away
	void       bool
}

type written struct {
	by     string
	period period
}

type authorship struct {
	by, strategy string
	position     int64
}

type period struct {
	Start string `json:"start"`
	End   string `json:"end"`
}

func (p period) meets(o period) bool { return p.Start <= o.End && o.Start <= p.End }

// measured judges and adds an event of an indicator.
func (l *ledger) measured(e entry) error {
	m := l.indicators[e.id]
	b, err := body[map[string]any](e)
	if err != nil {
		return err
	}
	if (m == nil) != (e.typ == "indicator.defined") {
		return fmt.Errorf("an indicator is defined once, and first")
	}
	if m == nil {
		m = &measure{
			id: e.id, strategy: text(b["strategyId"]), objective: text(b["objectiveId"]), definition: b, status: "unknown",
			targets: map[string]target{}, values: map[string]value{},
		}
		l.indicators[e.id] = m
	}
	if m.retired && e.typ != "indicator.health-changed" {
		return fmt.Errorf("the indicator is retired")
	}
	key := period{text(object(b["period"])["start"]), text(object(b["period"])["end"])}
	at := key.Start + "/" + key.End + dimsKey(object(b["dims"]))
	switch e.typ {
	case "indicator.defined", "indicator.redefined", "indicator.target-set", "indicator.retired":
		if err := l.authored(e, m, text(b["authorizedBy"])); err != nil {
			return err
		}
		switch e.typ {
		case "indicator.redefined":
			m.redefine(b)
		case "indicator.target-set":
			m.targets[at] = target{period: key, dims: object(b["dims"]), reading: b, epoch: m.epoch}
		case "indicator.retired":
			m.retired = true
		}
	case "indicator.measurement-recorded", "indicator.measurement-corrected", "indicator.measurement-voided":
		return l.written(e, m, at, key, b)
	case "indicator.health-changed":
		m.status = text(b["to"])
		m.missed = m.missed || m.status == "off_track"
	default:
		return fmt.Errorf("nobody judges it")
	}
	return nil
}

// written judges S9 and S14 and adds what became of a value.
func (l *ledger) written(e entry, m *measure, at string, p period, b map[string]any) error {
	was, known := m.values[at]
	recorded, void := e.typ == "indicator.measurement-recorded", e.typ == "indicator.measurement-voided"
	if recorded == (known && !was.void) {
		return fmt.Errorf("%s has the value %+v", at, was)
	}
	if err := l.delivered(e, m, was); err != nil {
		return err
	}
	if !recorded || was.void {
		if err := l.corrects(e, m, text(b["evidenceId"])); err != nil {
			return err
		}
	}
	m.values[at] = value{id: text(b["measurementId"]), byKind: e.meta.Actor.Kind, void: void}
	if e.meta.Actor.Kind == "person" {
		m.byHand = append(m.byHand, written{e.meta.Actor.ID, p})
	}
	return nil
}

func dimsKey(dims map[string]any) string {
	key := ""
	for _, name := range slices.Sorted(maps.Keys(dims)) {
		key += "|" + strconv.Quote(name) + "=" + strconv.Quote(text(dims[name]))
	}
	return key
}

// authored judges S15: once a strategy is in force, a second person who may
// approve there stands behind whatever its approvals cover.
func (l *ledger) authored(e entry, m *measure, authorizedBy string) error {
	at := []string{m.strategy}
	if to := movedTo(e); to != "" {
		at = append(at, to)
	}
	inForce := slices.ContainsFunc(at, func(id string) bool { return l.strategies[id] != nil && l.strategies[id].inForce != nil })
	if e.meta.Actor.Kind == "person" {
		for _, id := range at {
			m.wrote = append(m.wrote, authorship{e.meta.Actor.ID, id, e.position})
		}
		if inForce {
			return l.countersigned(e, "S15", authorizedBy, "strategy_approver", at...)
		}
	}
	return nil
}

// movedTo is the strategy to which an event moves its indicator, "" for none.
func movedTo(e entry) string {
	if e.typ != "indicator.redefined" {
		return ""
	}
	b, err := body[map[string]any](e)
	if err != nil {
		return ""
	}
	for _, c := range list(b["changes"]) {
		if text(c["field"]) == "strategyId" {
			return text(fieldValue(c["new"]))
		}
	}
	return ""
}

func (m *measure) redefine(b map[string]any) {
	m.definition = maps.Clone(m.definition)
	for _, c := range list(b["changes"]) {
		field, value := text(c["field"]), fieldValue(c["new"])
		switch field {
		case "strategyId":
			m.strategy = text(value)
		case "objectiveId":
			m.objective = text(value)
		case "toleranceAtRisk", "toleranceOffTrack":
			tolerance := maps.Clone(object(m.definition["tolerance"]))
			tolerance[map[string]string{"toleranceAtRisk": "atRisk", "toleranceOffTrack": "offTrack"}[field]] = value
			m.definition["tolerance"] = tolerance
		case "yearStart":
			n, _ := strconv.Atoi(text(value))
			m.definition[field] = float64(n)
		default:
			m.definition[field] = value
		}
	}
	if b["comparabilityBreak"] == true {
		m.epoch++
	}
}

// indicatorAuthors are the members who wrote to the indicators of a strategy
// since it last came into force, and all who ever wrote to one that came to it since.
func (l *ledger) indicatorAuthors(p *plan) (ids []string) {
	for _, m := range l.indicators {
		came := int64(0)
		for i, w := range m.wrote {
			if w.strategy == p.id && w.position > p.activated {
				ids = append(ids, w.by)
				if i > 0 && m.wrote[i-1].position == w.position && m.strategy == p.id {
					came = w.position // it came from elsewhere by this event
				}
			}
		}
		for _, w := range m.wrote {
			if w.position < came {
				ids = append(ids, w.by)
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// digest repeats the indicator digest from its description.
func (l *ledger) digest(strategyID string) string {
	var mine []*measure
	for _, id := range slices.Sorted(maps.Keys(l.indicators)) {
		if m := l.indicators[id]; m.strategy == strategyID && !m.retired {
			mine = append(mine, m)
		}
	}
	var w encoder
	w.texts("strata.indicator.digest.v1")
	w.number(len(mine))
	for _, m := range mine {
		w.texts(m.id, m.objective)
		w.definition(m.definition)
		w.number(m.epoch)
		var encoded [][]byte
		for _, t := range m.targets {
			var one encoder
			one.texts(t.period.Start, t.period.End)
			one.dims(t.dims)
			one.members(t.reading, "value", "originalText", "descriptorName", "descriptor")
			one.number(t.epoch)
			encoded = append(encoded, one.bytes)
		}
		slices.SortFunc(encoded, bytes.Compare)
		w.number(len(encoded))
		w.bytes = append(w.bytes, bytes.Join(encoded, nil)...)
	}
	return w.sum()
}

func (w *encoder) dims(d map[string]any) {
	w.number(len(d))
	for _, name := range slices.Sorted(maps.Keys(d)) {
		w.texts(name, text(d[name]))
	}
}

func (w *encoder) definition(d map[string]any) {
	w.members(d, "identifier", "sequence", "name", "unit", "type", "valueChainStage", "direction", "frequency")
	w.texts(strconv.Itoa(number(d["yearStart"])))
	w.list(d["dimensions"], func(o map[string]any) {
		w.members(o, "name")
		w.textList(o["values"])
	})
	w.dims(object(d["headline"]))
	w.members(d, "baseline")
	w.textList(d["done"])
	w.members(object(d["tolerance"]), "atRisk", "offTrack")
	w.members(d, "ownerId")
	w.list(d["externalRefs"], func(r map[string]any) { w.members(r, "sourceId", "ref") })
	w.list(d["relationships"], func(r map[string]any) {
		w.members(r, "kind", "identifier")
		w.textList(r["referents"])
		w.members(r, "name", "description")
	})
	w.members(d, "otherInformation")
}
