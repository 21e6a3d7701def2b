package plansdb

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/internal/readdb"
	"strata.dev/strata/app/query"
)

// Name of the projection and of its consumer group.
const Name = "plans"

// layout is the number of the tables and the fold; see readdb.Model.
const layout = 4

// Options of a projection.
type Options = readdb.Options

// Projection keeps the plans database. It implements projection.Projection.
type Projection struct {
	*readdb.Projection[*change]
	recalls *readdb.Recalls[*change]
}

// OpenProjection connects as strata_plans_projector. Close it.
func OpenProjection(ctx context.Context, url string, o Options) (*Projection, error) {
	p, err := readdb.Open(ctx, url, readdb.Model[*change](model{}), o)
	if err != nil {
		return nil, err
	}
	return &Projection{p, readdb.NewRecalls(p)}, nil
}

// Close ends the connections. Nothing else may run any more.
func (p *Projection) Close() {
	p.recalls.Close()
	p.Projection.Close()
}

// Sweep drops what earlier rebuilds have left behind, and all that was recalled.
func (p *Projection) Sweep(ctx context.Context) error {
	return errors.Join(p.Projection.Sweep(ctx), p.recalls.Drop(ctx))
}

// Recall sees to it that there is a copy of an organization's plans as of c.
func (p *Projection) Recall(ctx context.Context, organizationID uuid.UUID, c query.Cut, events readdb.Everything) error {
	return p.recalls.Recall(ctx, organizationID, c, events)
}

// model implements readdb.Model.
type model struct{}

func (model) Name() string { return Name }

func (model) Layout() int { return layout }

func (model) Writer(empty bool) readdb.Writer[*change] { return newWriter(empty) }

func (model) Content() []readdb.Content {
	return []readdb.Content{
		organizationsTable.Content(), membersTable.Content(), grantsTable.Content(), holdsTable.Content(),
		strategiesTable.Content(), elementsTable.Content(), approvalsTable.Content(),
		indicatorsTable.Content(), authorsTable.Content(), movesTable.Content(), targetsTable.Content(), measurementsTable.Content(), importsTable.Content(),
		findingsTable.Content(), subjectsTable.Content(), partsTable.Content(),
		evidenceTable.Content(), linksTable.Content(), insideTable.Content(), sourcesTable.Content(), externalTable.Content(),
		occurrencesTable.Content(), erasuresTable.Content(),
	}
}
