package source

import (
	"cmp"
	"slices"
	"time"

	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/internal/pmap"
)

// State is what its events say about a source. The register of imports is one
// that nobody registered.
type State struct {
	ID        string // "" if it is not registered
	Name      string
	System    string
	Channel   Channel
	StewardID string
	SchemaRef string
	Status    Status
	Terms     Terms

	rejections []minute // of the last hour, in order; never changed in place
	rejected   string   // the last message of which something was refused

	version   int64            // events so far
	imports   pmap.Map[Import] // by id
	byContent pmap.Map[string] // content hash → id of the last import of it
}

// Import is one accepted document.
type Import struct {
	ID             string
	StrategyID     string
	Plan           Plan
	DocumentSHA256 string
	ContentHash    string
	AcceptedBy     string // member
	AcceptedAt     time.Time
	Version        int64 // of the source's stream: the event that says everything else
}

// Registered says whether the source is an external system that was registered.
func (s State) Registered() bool { return s.ID != "" }

// Allows says whether the source may write an indicator, and whether also where
// a person wrote last (S14). It says nothing about its status.
func (s State) Allows(indicatorID string) (allowed, override bool) {
	i, ok := slices.BinarySearchFunc(s.Terms.AllowedIndicators, indicatorID, func(a Allowed, id string) int { return cmp.Compare(a.IndicatorID, id) })
	return ok, ok && s.Terms.AllowedIndicators[i].Override
}

// Import gives an accepted import.
func (s State) Import(id string) (Import, bool) { return s.imports.Get(id) }

// LastOf gives the last accepted import of a content.
func (s State) LastOf(contentHash string) (Import, bool) {
	id, ok := s.byContent.Get(contentHash)
	if !ok {
		return Import{}, false
	}
	return s.imports.Get(id)
}

// Apply folds one event into the state. It cannot refuse: an event is a fact.
// The state it is called on stays as it was.
func (s State) Apply(by fact.Actor, e Event) State {
	s.version++
	switch e := e.(type) {
	case Registered:
		s.ID, s.Name, s.System, s.Channel = e.SourceID, e.Name, e.System, e.Channel
		s.StewardID, s.SchemaRef, s.Terms, s.Status = e.StewardID, e.SchemaRef, e.Terms, Active
	case StatusChanged:
		s.Status = e.To
		if e.Terms != nil {
			s.Terms = *e.Terms
		}
		if e.To == Active {
			s.rejections = nil // whoever reinstated it knows of them
		}
	case IngestRejected:
		// The refused measurements of one message follow each other.
		if s.Registered() && (e.Item == 0 || e.MessageID != s.rejected) {
			s.rejections = counted(s.rejections, by.At)
		}
		s.rejected = e.MessageID
	case ImportAccepted:
		s.imports = s.imports.Set(e.ImportID, Import{
			ID: e.ImportID, StrategyID: e.StrategyID, Plan: e.Plan, DocumentSHA256: e.DocumentSHA256, ContentHash: e.ContentHash,
			AcceptedBy: by.ID, AcceptedAt: by.At, Version: s.version,
		})
		s.byContent = s.byContent.Set(e.ContentHash, e.ImportID)
	}
	return s
}
