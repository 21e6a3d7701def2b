package command

import (
	"github.com/google/uuid"

	"strata.dev/strata/app/stratml"
	"strata.dev/strata/domain/source"
)

// match finds the elements of the strategy again: each by its identifier; one
// that has none, in the document or in the strategy, by its name under the same
// parent. No element is found twice.
func (b *base) match(doc *stratml.Document) []source.Match {
	f := &finder{taken: map[string]bool{}}
	f.frame(b, doc)
	plan, elements := b.state.InForce.Plan, elementsOf(doc)

	goals := newIndex()
	for _, g := range plan.Goals() {
		goals.put(g.ID, g.Identifier, "", g.Name)
	}
	found := map[int]string{}
	for pass := range 2 { // identifiers first: a name must not take what an identifier finds
		for _, g := range elements.goals {
			f.find(goals, found, pass, "goal", g.ordinal, g.Identifier, "", g.Name)
		}
	}
	objectives, objectiveFound := newIndex(), map[int]string{}
	for _, o := range plan.Objectives("") {
		objectives.put(o.ID, o.Identifier, o.GoalID, o.Name)
	}
	for pass := range 2 {
		for _, o := range elements.objectives {
			f.find(objectives, objectiveFound, pass, "objective", o.ordinal, o.Identifier, found[o.parent], o.Name)
		}
	}
	indicators, indicatorFound := newIndex(), map[int]string{}
	for _, s := range b.indicators {
		indicators.put(s.ID, s.Definition.Identifier, s.ObjectiveID, s.Definition.Name)
	}
	for pass := range 2 {
		for _, i := range elements.indicators {
			f.find(indicators, indicatorFound, pass, "indicator", i.ordinal, i.Identifier, objectiveFound[i.parent], i.Dimension)
		}
	}
	return f.matches
}

// index finds elements of one kind.
type index struct {
	byIdentifier map[string]string
	byName       map[[2]string][]string // parent and name → ids
	identified   map[string]bool        // ids that an identifier finds
}

func newIndex() *index {
	return &index{map[string]string{}, map[[2]string][]string{}, map[string]bool{}}
}

func (x *index) put(id, identifier, parent, name string) {
	if c := stratml.ComparedIdentifier(identifier); c != "" && x.byIdentifier[c] == "" {
		x.byIdentifier[c] = id
		x.identified[id] = true
	}
	if name != "" {
		key := [2]string{parent, stratml.Collapse(name)}
		x.byName[key] = append(x.byName[key], id)
	}
}

type finder struct {
	matches []source.Match
	taken   map[string]bool
}

// find looks by identifier in pass 0, by name in pass 1.
func (f *finder) find(in *index, found map[int]string, pass int, kind string, ordinal int, identifier, parent, name string) {
	if found[ordinal] != "" {
		return
	}
	take := func(id, by string) {
		f.taken[id] = true
		found[ordinal] = id
		f.matches = append(f.matches, source.Match{Kind: kind, Ordinal: ordinal, Identifier: by, ElementID: id})
	}
	c := stratml.ComparedIdentifier(identifier)
	if pass == 0 {
		if id := in.byIdentifier[c]; c != "" && id != "" && !f.taken[id] {
			take(id, c)
		}
		return
	}
	if name == "" || (kind != "goal" && parent == "") {
		return
	}
	for _, id := range in.byName[[2]string{parent, stratml.Collapse(name)}] {
		if !f.taken[id] && (c == "" || !in.identified[id]) {
			take(id, "")
			return
		}
	}
}

// frame finds what identifies the plan itself and its parts.
func (f *finder) frame(b *base, doc *stratml.Document) {
	before := b.state.InForce.Plan.Frame
	same := func(kind string, ordinal int, old, now string) {
		if c := stratml.ComparedIdentifier(now); c != "" && c == stratml.ComparedIdentifier(old) {
			f.matches = append(f.matches, source.Match{Kind: kind, Ordinal: ordinal, Identifier: c, ElementID: b.state.ID})
		}
	}
	same("plan", 0, before.Identifier, doc.Administrative.Identifier)
	for n, o := range doc.Organizations {
		for _, old := range before.Organizations {
			same("organization", n, old.Identifier, o.Identifier)
		}
	}
	if doc.Vision != nil {
		same("vision", 0, before.VisionIdentifier, doc.Vision.Identifier)
	}
	if doc.Mission != nil {
		same("mission", 0, before.MissionIdentifier, doc.Mission.Identifier)
	}
}

// matches is a list of matches to look things up in.
type matches map[string]map[int]string

func matchesOf(list []source.Match) matches {
	m := matches{}
	for _, e := range list {
		if m[e.Kind] == nil {
			m[e.Kind] = map[int]string{}
		}
		m[e.Kind][e.Ordinal] = e.ElementID
	}
	return m
}

func (m matches) has(kind string, ordinal int) bool { return m[kind][ordinal] != "" }

func (m matches) id(kind string, ordinal int, fresh uuid.UUID) string {
	if id := m[kind][ordinal]; id != "" {
		return id
	}
	return fresh.String()
}
