package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strata.dev/strata/app/command"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/personal"
)

// importConnections is how many imports use the store at the same moment;
// others wait.
const importConnections = 4

// Imports keeps the documents of imports and of evidence, and how far each
// import is, beside the log in its database. It is safe for concurrent use.
type Imports struct {
	pool    *pgxpool.Pool
	persons *personal.Sealer // nil = documents are kept in clear
}

var _ command.ImportStore = (*Imports)(nil)

// OpenImports connects to the log database that url names, as the role that
// writes the log. It fails if the database cannot be reached now. Documents are
// sealed with persons, each under a key of its own; nil keeps them in clear.
// Close ends it.
func OpenImports(ctx context.Context, url string, persons *personal.Sealer) (*Imports, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("store of imports: %w", err)
	}
	cfg.MaxConns = importConnections
	cfg.ConnConfig.ConnectTimeout = connectTimeout
	cfg.ConnConfig.RuntimeParams["application_name"] = "strata imports"
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	// A document of 16 MB takes a moment; a connection that says nothing is no connection.
	cfg.ConnConfig.RuntimeParams["statement_timeout"] = "60000"
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("store of imports: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("store of imports: %w", err)
	}
	return &Imports{pool: pool, persons: persons}, nil
}

// Close waits for what is under way and closes the connections.
func (i *Imports) Close() { i.pool.Close() }

// SaveRun implements command.ImportStore.
func (i *Imports) SaveRun(ctx context.Context, run command.ImportRun) error {
	var failure []byte
	if run.Failure != nil {
		var err error
		if failure, err = json.Marshal(run.Failure); err != nil {
			return fmt.Errorf("save import %s: %w", run.ImportID, err)
		}
	}
	_, err := i.pool.Exec(ctx, `
INSERT INTO public.import_runs AS r (organization_id, import_id, state, done, total, revision, version, position, failure)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (organization_id, import_id) DO UPDATE SET state = excluded.state, done = greatest(r.done, excluded.done),
	total = excluded.total, revision = excluded.revision, version = excluded.version,
	position = greatest(r.position, excluded.position), failure = excluded.failure, updated_at = clock_timestamp()
WHERE r.state <> 'applied'`,
		[16]byte(run.OrganizationID), [16]byte(run.ImportID), string(run.State), run.Done, run.Total, run.Revision, run.Version, run.Position, failure)
	return i.failed(err, "save import "+run.ImportID.String())
}

const runColumns = `organization_id, import_id, state, done, total, revision, version, position, failure, updated_at`

// Run implements command.ImportStore.
func (i *Imports) Run(ctx context.Context, organizationID, importID uuid.UUID) (command.ImportRun, bool, error) {
	rows, _ := i.pool.Query(ctx, `SELECT `+runColumns+` FROM public.import_runs WHERE organization_id = $1 AND import_id = $2`,
		[16]byte(organizationID), [16]byte(importID)) // CollectExactlyOneRow returns its error
	run, err := pgx.CollectExactlyOneRow(rows, scanRun)
	if errors.Is(err, pgx.ErrNoRows) {
		return command.ImportRun{}, false, nil
	}
	return run, err == nil, i.failed(err, "read import "+importID.String())
}

// UnfinishedRuns implements command.ImportStore.
func (i *Imports) UnfinishedRuns(ctx context.Context) ([]command.ImportRun, error) {
	rows, _ := i.pool.Query(ctx, `SELECT `+runColumns+` FROM public.import_runs
WHERE state IN ('accepted', 'applying') ORDER BY updated_at`) // CollectRows returns its error
	runs, err := pgx.CollectRows(rows, scanRun)
	return runs, i.failed(err, "read unfinished imports")
}

func scanRun(row pgx.CollectableRow) (command.ImportRun, error) {
	var r command.ImportRun
	var failure []byte
	err := row.Scan(&r.OrganizationID, &r.ImportID, &r.State, &r.Done, &r.Total, &r.Revision, &r.Version, &r.Position, &failure, &r.UpdatedAt)
	if err == nil && failure != nil {
		err = json.Unmarshal(failure, &r.Failure)
	}
	r.UpdatedAt = r.UpdatedAt.UTC()
	return r, err
}

// failed makes every failure of the database one of the log: nothing was
// stored, or it may be stored once more.
func (i *Imports) failed(err error, doing string) error {
	if err == nil {
		return nil
	}
	return eventlog.ErrUnavailable.Because(fmt.Errorf("%s: %w", doing, err))
}
