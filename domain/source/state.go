package source

import (
	"cmp"
	"slices"
	"time"

	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/internal/pmap"
)

// State is what its events say about a source.
type State struct {
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

// Import gives an accepted import.
func (s State) Import(id string) (Import, bool) { return s.imports.Get(id) }

// Imports gives all accepted imports, the newest first.
func (s State) Imports() []Import {
	var all []Import
	for _, i := range s.imports.All() {
		all = append(all, i)
	}
	slices.SortFunc(all, func(a, b Import) int { return cmp.Compare(b.Version, a.Version) })
	return all
}

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
	if e, ok := e.(ImportAccepted); ok {
		s.imports = s.imports.Set(e.ImportID, Import{
			ID: e.ImportID, StrategyID: e.StrategyID, Plan: e.Plan, DocumentSHA256: e.DocumentSHA256, ContentHash: e.ContentHash,
			AcceptedBy: by.ID, AcceptedAt: by.At, Version: s.version,
		})
		s.byContent = s.byContent.Set(e.ContentHash, e.ImportID)
	}
	return s
}
