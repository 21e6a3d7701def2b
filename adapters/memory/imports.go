package memory

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	imports "strata.dev/strata/app/command"
)

// Imports is a store of imports in memory, for unit tests only; the zero value
// is empty and ready. It is safe for concurrent use.
type Imports struct {
	mu        sync.Mutex
	documents map[documentKey][]byte
	runs      map[runKey]imports.ImportRun
}

type documentKey struct {
	organization uuid.UUID
	sha256       string
}

type runKey struct{ organization, id uuid.UUID }

var _ imports.ImportStore = (*Imports)(nil)

// Keep implements imports.ImportStore.
func (i *Imports) Keep(ctx context.Context, organizationID uuid.UUID, sha256 string, document []byte) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.documents == nil {
		i.documents = map[documentKey][]byte{}
	}
	i.documents[documentKey{organizationID, sha256}] = bytes.Clone(document)
	return ctx.Err()
}

// Original implements imports.ImportStore.
func (i *Imports) Original(ctx context.Context, organizationID uuid.UUID, sha256 string) ([]byte, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	b, ok := i.documents[documentKey{organizationID, sha256}]
	if !ok {
		return nil, imports.ErrNoOriginal
	}
	return bytes.Clone(b), ctx.Err()
}

// SaveRun implements imports.ImportStore.
func (i *Imports) SaveRun(ctx context.Context, run imports.ImportRun) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.runs == nil {
		i.runs = map[runKey]imports.ImportRun{}
	}
	key := runKey{run.OrganizationID, run.ImportID}
	before := i.runs[key]
	if before.State == imports.ImportApplied {
		return ctx.Err()
	}
	run.Done = max(run.Done, before.Done)
	run.Position = max(run.Position, before.Position)
	run.UpdatedAt = time.Now().UTC()
	i.runs[key] = run
	return ctx.Err()
}

// Run implements imports.ImportStore.
func (i *Imports) Run(ctx context.Context, organizationID, importID uuid.UUID) (imports.ImportRun, bool, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	run, ok := i.runs[runKey{organizationID, importID}]
	return run, ok, ctx.Err()
}

// UnfinishedRuns implements imports.ImportStore.
func (i *Imports) UnfinishedRuns(ctx context.Context) ([]imports.ImportRun, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	runs := slices.Collect(maps.Values(i.runs))
	runs = slices.DeleteFunc(runs, func(r imports.ImportRun) bool {
		return r.State != imports.ImportAccepted && r.State != imports.ImportApplying
	})
	slices.SortFunc(runs, func(a, b imports.ImportRun) int { return a.UpdatedAt.Compare(b.UpdatedAt) })
	return runs, ctx.Err()
}
