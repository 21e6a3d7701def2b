package command

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/stratml"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/strategy"
)

// What a next revision leaves as it is.
const (
	DocumentTypeStays = "document-type-stays"  // a strategy keeps the type it was drafted with
	RelationshipsStay = "relationships-stay"   // of an indicator that is defined already
	ResultAsRecorded  = "result-as-recorded"   // another value is recorded for this period: that is corrected, not imported
	IndicatorStays    = "indicator-stays"      // an indicator that the document does not have; retire it if it is to go
	ResultOfOtherKind = "result-of-other-kind" // a descriptor for a number, or the other way round
)

// base is what a revision is compared with: a strategy in force and its living
// indicators, in the order of their definition.
type base struct {
	state      strategy.State
	version    int64 // of the strategy's stream
	head       int64 // position of the log up to which the indicators are folded
	indicators []knownIndicator
}

// baseNow reads a strategy and its indicators as they are now.
func (i *Imports) baseNow(ctx context.Context, organizationID, strategyID uuid.UUID) (*base, error) {
	x := i.strategies.executor
	f, err := x.load(ctx, organizationID, x.stream(strategyID), true)
	if err != nil {
		return nil, err
	}
	switch {
	case !f.state.Exists():
		return nil, strategy.ErrNotDrafted.Detailf("There is no such strategy.")
	case !f.state.HasInForce():
		return nil, strategy.ErrNotInForce.Detailf("A next revision follows one in force, and there is none.")
	}
	b := &base{state: f.state, version: f.version}
	if b.head, err = i.options.Log.Head(ctx); err != nil {
		return nil, fmt.Errorf("head of the log: %w", err)
	}
	ids, err := i.options.Basis.IndicatorsOf(ctx, organizationID, strategyID, b.head)
	if err != nil {
		return nil, fmt.Errorf("indicators of strategy %s: %w", strategyID, err)
	}
	b.indicators, err = i.indicators.asOf(ctx, organizationID, strategyID, ids, b.head)
	return b, err
}

// baseThen reads them as they were when the import was accepted.
func (i *Imports) baseThen(ctx context.Context, a *accepted) (*base, error) {
	x, organizationID := i.strategies.executor, a.event.OrganizationID
	f, err := x.read(ctx, organizationID, x.stream(a.Import.StrategyID), folded[strategy.State]{}, int(a.BaseVersion))
	if err != nil {
		return nil, err
	}
	b := &base{state: f.state, version: f.version, head: a.BaseHead}
	var ids []uuid.UUID
	for _, m := range a.Matched {
		if m.Kind == "indicator" {
			id, err := uuid.Parse(m.ElementID)
			if err != nil {
				return nil, fmt.Errorf("import %s: matched indicator: %w", a.ImportID, err)
			}
			ids = append(ids, id)
		}
	}
	b.indicators, err = i.indicators.asOf(ctx, organizationID, a.Import.StrategyID, ids, b.head)
	return b, err
}

// knownIndicator is an indicator with the notes of its targets (by key) and
// measurements (by id), which decide nothing and so are no part of its state.
type knownIndicator struct {
	indicator.State
	notes map[string]string
	at    int64 // position of its definition
}

// asOf folds indicators up to a position of the log, in the order of their
// definition; those that were retired then, or of another strategy, or not
// there yet, are left out.
func (i *Indicators) asOf(ctx context.Context, organizationID, strategyID uuid.UUID, ids []uuid.UUID, head int64) ([]knownIndicator, error) {
	var all []knownIndicator
	for _, id := range ids {
		stream := i.executor.stream(id)
		events, err := i.executor.options.Log.ReadStream(ctx, organizationID, stream, 0, 0)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", stream, err)
		}
		k := knownIndicator{notes: map[string]string{}}
		for _, e := range events {
			if e.Position > head {
				break
			}
			if err := k.apply(e); err != nil {
				return nil, fmt.Errorf("read %s: version %d: %w", stream, e.Version, err)
			}
		}
		if k.Exists() && !k.Retired && k.StrategyID == strategyID.String() {
			k.at = events[0].Position
			all = append(all, k)
		}
	}
	slices.SortFunc(all, func(a, b knownIndicator) int { return cmp.Compare(a.at, b.at) })
	return all, nil
}

func (k *knownIndicator) apply(e eventlog.Event) error {
	body, err := eventcodec.Decode(e.Type, e.SchemaVersion, e.Data)
	if err != nil {
		return err
	}
	metadata, err := eventlog.DecodeMetadata(e.Metadata)
	if err != nil {
		return err
	}
	event, ok := body.(indicator.Event)
	if !ok {
		return fmt.Errorf("%s is no event of this aggregate", e.Type)
	}
	k.State = k.State.Apply(recordedBy(metadata, e), event)
	switch event := event.(type) {
	case indicator.TargetSet:
		k.notes[indicator.Key(event.Period, event.Dims)] = event.Note
	case indicator.MeasurementRecorded:
		k.notes[event.MeasurementID] = event.Note
	case indicator.MeasurementCorrected:
		k.notes[event.MeasurementID] = event.Note
	}
	return nil
}

func (b *base) indicator(id string) indicator.State {
	for _, s := range b.indicators {
		if s.ID == id {
			return s.State
		}
	}
	return indicator.State{}
}

// reopen opens the revision and brings its frame to what the document says.
func (p *importPlan) reopen(b *base, doc *stratml.Document) []strategy.Command {
	commands := []strategy.Command{strategy.OpenRevision{Reason: p.reason}}
	if strategy.DocumentType(doc.Type) != b.state.DocumentType {
		p.omit(DocumentTypeStays, stratml.Place{Line: 1, Column: 1}, p.path+"/@Type", string(b.state.DocumentType))
	}
	edits := editsBetween(frameContents(b.state.InForce.Plan.Frame), frameContents(frameOf(doc)))
	if len(edits) > 0 {
		commands = append(commands, strategy.AmendFrame{Edits: edits, Reason: p.reason})
	}
	return commands
}

// retire takes out what the document does not have any more: goals first, with
// the objectives that are still under them.
func (p *importPlan) retire(b *base, m matches) []strategy.Command {
	living := map[string]bool{}
	for _, kind := range []string{"goal", "objective", "indicator"} {
		for _, id := range m[kind] {
			living[id] = true
		}
	}
	var commands []strategy.Command
	plan, gone := b.state.InForce.Plan, map[string]bool{}
	for _, g := range plan.Goals() {
		if !living[g.ID] {
			gone[g.ID] = true
			commands = append(commands, strategy.RetireGoal{GoalID: g.ID, Reason: p.reason})
		}
	}
	for _, o := range plan.Objectives("") {
		if !living[o.ID] && !gone[o.GoalID] {
			commands = append(commands, strategy.RetireObjective{ObjectiveID: o.ID, Reason: p.reason})
		}
	}
	for _, s := range b.indicators {
		if !living[s.ID] {
			p.omit(IndicatorStays, stratml.Place{Line: 1, Column: 1}, p.path, s.Definition.Name)
		}
	}
	return commands
}

// fieldContent is the content of one field, by its name on the wire.
type fieldContent struct {
	field   string
	content strategy.Content
}

func frameContents(f strategy.Frame) []fieldContent {
	return []fieldContent{
		{"name", strategy.Text(f.Name)},
		{"identifier", strategy.Text(f.Identifier)},
		{"description", strategy.Text(f.Description)},
		{"vision", strategy.Text(f.Vision)},
		{"visionIdentifier", strategy.Text(f.VisionIdentifier)},
		{"mission", strategy.Text(f.Mission)},
		{"missionIdentifier", strategy.Text(f.MissionIdentifier)},
		{"values", strategy.Content{Values: f.Values}},
		{"organizations", strategy.Content{Organizations: f.Organizations}},
		{"periodStart", strategy.Text(string(f.Period.Start))},
		{"periodEnd", strategy.Text(string(f.Period.End))},
		{"otherInformation", strategy.Text(f.OtherInformation)},
		{"sourceUri", strategy.Text(f.SourceURI)},
		{"publicationDate", strategy.Text(string(f.PublicationDate))},
	}
}

func goalContents(g strategy.AddGoal) []fieldContent {
	return []fieldContent{
		{"identifier", strategy.Text(g.Identifier)},
		{"sequence", strategy.Text(g.Sequence)},
		{"name", strategy.Text(g.Name)},
		{"description", strategy.Text(g.Description)},
		{"stakeholders", strategy.Content{Stakeholders: g.Stakeholders}},
		{"otherInformation", strategy.Text(g.OtherInformation)},
	}
}

func objectiveContents(o strategy.AddObjective) []fieldContent {
	return goalContents(strategy.AddGoal{
		Identifier: o.Identifier, Sequence: o.Sequence, Name: o.Name, Description: o.Description,
		Stakeholders: o.Stakeholders, OtherInformation: o.OtherInformation,
	})
}

// editsBetween gives the fields that differ. Identifiers that are written in
// another way, and white space, are no difference.
func editsBetween(before, after []fieldContent) []strategy.Edit {
	var edits []strategy.Edit
	for i, f := range after {
		if !sameContent(f.field, before[i].content, f.content) {
			edits = append(edits, strategy.Edit{Field: f.field, New: f.content})
		}
	}
	return edits
}

func sameContent(field string, a, b strategy.Content) bool {
	switch field {
	case "identifier", "visionIdentifier", "missionIdentifier":
		return stratml.ComparedIdentifier(a.Text) == stratml.ComparedIdentifier(b.Text)
	}
	if stratml.Collapse(a.Text) != stratml.Collapse(b.Text) {
		return false
	}
	a.Text, b.Text = "", ""
	// What is in a strategy was decoded from JSON and what comes from a document
	// was kept: neither has empty lists.
	return reflect.DeepEqual(a, b)
}
