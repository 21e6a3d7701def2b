package strategy

import "strata.dev/strata/domain/calendar"

// goalIDField is the field in which an objective that moved is amended.
const goalIDField = "goalId"

// shape says which member of Content a field uses.
type shape uint8

const (
	name shape = iota // text that must be there
	short
	prose
	date
	values
	organizations
	stakeholders
	relationships
	optionalID
)

// field is how a named field of an element is read and written.
type field[E any] struct {
	shape shape
	get   func(*E) Content
	set   func(*E, Content)
}

func text[E any, T ~string](s shape, at func(*E) *T) field[E] {
	return field[E]{
		shape: s,
		get:   func(e *E) Content { return Content{Text: string(*at(e))} },
		set:   func(e *E, c Content) { *at(e) = T(c.Text) },
	}
}

// frameFields, goalFields and objectiveFields are the fields that can be
// amended, by their names on the wire. They are never changed.
var frameFields = map[string]field[Frame]{
	"name":              text(name, func(f *Frame) *string { return &f.Name }),
	"identifier":        text(short, func(f *Frame) *string { return &f.Identifier }),
	"description":       text(prose, func(f *Frame) *string { return &f.Description }),
	"vision":            text(prose, func(f *Frame) *string { return &f.Vision }),
	"visionIdentifier":  text(short, func(f *Frame) *string { return &f.VisionIdentifier }),
	"mission":           text(prose, func(f *Frame) *string { return &f.Mission }),
	"missionIdentifier": text(short, func(f *Frame) *string { return &f.MissionIdentifier }),
	"values": {
		shape: values,
		get:   func(f *Frame) Content { return Content{Values: f.Values} },
		set:   func(f *Frame, c Content) { f.Values = c.Values },
	},
	"organizations": {
		shape: organizations,
		get:   func(f *Frame) Content { return Content{Organizations: f.Organizations} },
		set:   func(f *Frame, c Content) { f.Organizations = c.Organizations },
	},
	"periodStart":      text(date, func(f *Frame) *calendar.Date { return &f.Period.Start }),
	"periodEnd":        text(date, func(f *Frame) *calendar.Date { return &f.Period.End }),
	"otherInformation": text(prose, func(f *Frame) *string { return &f.OtherInformation }),
	"sourceUri":        text(short, func(f *Frame) *string { return &f.SourceURI }),
	"publicationDate":  text(date, func(f *Frame) *calendar.Date { return &f.PublicationDate }),
}

// framed is what AmendFrame amends: the frame, which belongs to the revision,
// and which strategy is replaced, which belongs to the strategy.
type framed struct {
	Frame
	replaces string
}

// replacesField is the field in which a strategy is set to replace another one.
const replacesField = "replaces"

var framedFields = withReplaces(frameFields)

func withReplaces(of map[string]field[Frame]) map[string]field[framed] {
	all := map[string]field[framed]{
		replacesField: text(optionalID, func(f *framed) *string { return &f.replaces }),
	}
	for name, f := range of {
		all[name] = field[framed]{
			shape: f.shape,
			get:   func(p *framed) Content { return f.get(&p.Frame) },
			set:   func(p *framed, c Content) { f.set(&p.Frame, c) },
		}
	}
	return all
}

var goalFields = map[string]field[Goal]{
	"identifier":  text(short, func(g *Goal) *string { return &g.Identifier }),
	"sequence":    text(short, func(g *Goal) *string { return &g.Sequence }),
	"name":        text(name, func(g *Goal) *string { return &g.Name }),
	"description": text(prose, func(g *Goal) *string { return &g.Description }),
	"stakeholders": {
		shape: stakeholders,
		get:   func(g *Goal) Content { return Content{Stakeholders: g.Stakeholders} },
		set:   func(g *Goal, c Content) { g.Stakeholders = c.Stakeholders },
	},
	"otherInformation": text(prose, func(g *Goal) *string { return &g.OtherInformation }),
}

var objectiveFields = map[string]field[Objective]{
	"identifier":  text(short, func(o *Objective) *string { return &o.Identifier }),
	"sequence":    text(short, func(o *Objective) *string { return &o.Sequence }),
	"name":        text(short, func(o *Objective) *string { return &o.Name }),
	"description": text(prose, func(o *Objective) *string { return &o.Description }),
	"stakeholders": {
		shape: stakeholders,
		get:   func(o *Objective) Content { return Content{Stakeholders: o.Stakeholders} },
		set:   func(o *Objective, c Content) { o.Stakeholders = c.Stakeholders },
	},
	"otherInformation": text(prose, func(o *Objective) *string { return &o.OtherInformation }),
	"relationships": {
		shape: relationships,
		get:   func(o *Objective) Content { return Content{Relationships: o.Relationships} },
		set:   func(o *Objective, c Content) { o.Relationships = c.Relationships },
	},
}
