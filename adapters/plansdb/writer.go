package plansdb

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/adapters/internal/readdb"
	"strata.dev/strata/domain/evidence"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/journal"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/source"
	"strata.dev/strata/domain/strategy"
)

// approvalKey is the key of an approval, or of a move: of a row per event.
type approvalKey struct {
	org      uuid.UUID
	position int64
}

// writer folds events into rows; it implements readdb.Writer.
type writer struct {
	organizations *readdb.Rows[uuid.UUID, organizationRow]
	members       *readdb.Rows[ref, memberRow]
	grants        *readdb.Rows[ref, grantRow]
	holds         *readdb.Rows[ref, holdRow]
	strategies    *readdb.Rows[ref, strategyRow]
	elements      *readdb.Rows[part, elementRow]
	elementsOf    map[ref][]string // ids of the elements in memory, by strategy
	approvals     *readdb.Rows[approvalKey, approvalRow]
	indicators    *readdb.Rows[ref, indicatorRow]
	authors       *readdb.Rows[part, authorRow]
	moves         *readdb.Rows[approvalKey, moveRow]
	targets       *readdb.Rows[targetKey, targetRow]
	measurements  *readdb.Rows[part, measurementRow]
	imports       *readdb.Rows[ref, importRow]
	occurrences   *readdb.Rows[occurrenceKey, occurrenceRow]
	erasures      *readdb.Rows[approvalKey, erasureRow]
	governance

	empty bool // made for empty tables: what does not fit into memory is written and forgotten
}

func newWriter(empty bool) *writer {
	return &writer{
		empty:      empty,
		elementsOf: map[ref][]string{},
		governance: newGovernance(empty),
		organizations: readdb.NewRows(organizationsTable, empty,
			func(k uuid.UUID) *organizationRow { return &organizationRow{org: k} },
			func(r *organizationRow) uuid.UUID { return r.org }),
		members: readdb.NewRows(membersTable, empty,
			func(k ref) *memberRow { return &memberRow{org: k.org, id: k.id} },
			func(r *memberRow) ref { return ref{r.org, r.id} }),
		grants: readdb.NewRows(grantsTable, empty,
			func(k ref) *grantRow { return &grantRow{org: k.org, id: k.id} },
			func(r *grantRow) ref { return ref{r.org, r.id} }),
		holds: readdb.NewRows(holdsTable, empty,
			func(k ref) *holdRow { return &holdRow{org: k.org, id: k.id} },
			func(r *holdRow) ref { return ref{r.org, r.id} }),
		strategies: readdb.NewRows(strategiesTable, empty,
			func(k ref) *strategyRow { return &strategyRow{org: k.org, id: k.id} },
			func(r *strategyRow) ref { return ref{r.org, r.id} }),
		elements: readdb.NewRows(elementsTable, empty,
			func(k part) *elementRow { return &elementRow{org: k.org, strategyID: k.ref.id, id: k.id} },
			(*elementRow).key),
		approvals: readdb.NewRows(approvalsTable, empty,
			func(k approvalKey) *approvalRow { return &approvalRow{org: k.org, position: k.position} },
			func(r *approvalRow) approvalKey { return approvalKey{r.org, r.position} }),
		indicators: readdb.NewRows(indicatorsTable, empty,
			func(k ref) *indicatorRow { return &indicatorRow{org: k.org, id: k.id} },
			func(r *indicatorRow) ref { return ref{r.org, r.id} }),
		authors: readdb.NewRows(authorsTable, empty,
			func(k part) *authorRow { return &authorRow{org: k.org, indicatorID: k.ref.id, id: k.id} },
			func(r *authorRow) part { return part{ref{r.org, r.indicatorID}, r.id} }),
		moves: readdb.NewRows(movesTable, empty,
			func(k approvalKey) *moveRow { return &moveRow{org: k.org, position: k.position} },
			func(r *moveRow) approvalKey { return approvalKey{r.org, r.position} }),
		targets: readdb.NewRows(targetsTable, empty,
			func(k targetKey) *targetRow {
				return &targetRow{org: k.org, indicatorID: k.id, dimsKey: k.dims, end: k.end, start: k.start}
			},
			func(r *targetRow) targetKey { return targetKey{ref{r.org, r.indicatorID}, r.dimsKey, r.end, r.start} }),
		occurrences: readdb.NewRows(occurrencesTable, empty,
			func(k occurrenceKey) *occurrenceRow { return &occurrenceRow{org: k.org, key: k} },
			func(r *occurrenceRow) occurrenceKey { return r.key }),
		erasures: readdb.NewRows(erasuresTable, empty,
			func(k approvalKey) *erasureRow { return &erasureRow{org: k.org, position: k.position} },
			func(r *erasureRow) approvalKey { return approvalKey{r.org, r.position} }),
		imports: readdb.NewRows(importsTable, empty,
			func(k ref) *importRow { return &importRow{org: k.org, id: k.id} },
			func(r *importRow) ref { return ref{r.org, r.id} }),
		measurements: readdb.NewRows(measurementsTable, empty,
			func(k part) *measurementRow { return &measurementRow{org: k.org, indicatorID: k.ref.id, id: k.id} },
			func(r *measurementRow) part { return part{ref{r.org, r.indicatorID}, r.id} }),
	}
}

func (r *elementRow) key() part { return part{ref{r.org, r.strategyID}, r.id} }

// keys are what a batch touches.
type keys struct {
	organizations []uuid.UUID
	members       []ref
	grants        []ref
	holds         []ref
	strategies    []ref
	wholes        []ref // strategies of which all elements are needed
	elements      []part
	voided        []ref // strategies whose approvals become void
	indicators    []ref
	authors       []part
	targets       []targetKey
	measurements  []part
	findings      []ref
	evidence      []ref
	sources       []ref
}

func (k *keys) of(c *change) {
	switch e := c.body.(type) {
	case organization.Event:
		k.ofOrganization(c, e)
	case strategy.Event:
		k.strategies = append(k.strategies, c.ref)
		k.ofStrategy(c, e)
	case indicator.Event:
		k.indicators = append(k.indicators, c.ref)
		k.ofIndicator(c, e)
	case finding.Event:
		k.findings = append(k.findings, c.ref)
	case evidence.Event:
		k.evidence = append(k.evidence, c.ref)
	case source.Event:
		k.sources = append(k.sources, c.ref)
	}
}

func (k *keys) ofOrganization(c *change, e organization.Event) {
	k.organizations = append(k.organizations, c.org)
	switch e := e.(type) {
	case organization.MemberEnrolled:
		k.members = append(k.members, ref{c.org, e.MemberID})
	case organization.RoleGranted:
		k.grants = append(k.grants, ref{c.org, e.GrantID})
	case organization.RoleRevoked:
		k.members = append(k.members, ref{c.org, e.MemberID})
		for _, id := range e.GrantIDs {
			k.grants = append(k.grants, ref{c.org, id})
		}
	case organization.LegalHoldPlaced:
		k.holds = append(k.holds, ref{c.org, e.HoldID})
	case organization.LegalHoldReleased:
		k.holds = append(k.holds, ref{c.org, e.HoldID})
	}
}

func (k *keys) ofStrategy(c *change, e strategy.Event) {
	switch e := e.(type) {
	case strategy.GoalAdded:
		k.elements = append(k.elements, part{c.ref, e.GoalID})
	case strategy.ObjectiveAdded:
		k.elements = append(k.elements, part{c.ref, e.ObjectiveID})
	case strategy.PlanElementAmended:
		k.elements = append(k.elements, part{c.ref, e.ElementID})
	case strategy.PlanElementRetired:
		k.elements = append(k.elements, part{c.ref, e.ElementID})
		for _, id := range e.Cascade {
			k.elements = append(k.elements, part{c.ref, id})
		}
	case strategy.ChangesRequested:
		k.voided = append(k.voided, c.ref)
	case strategy.Activated, strategy.RevisionWithdrawn, strategy.Closed:
		k.wholes = append(k.wholes, c.ref)
	}
}

func (k *keys) ofIndicator(c *change, e indicator.Event) {
	switch e := e.(type) {
	case indicator.Defined, indicator.Redefined, indicator.Retired:
		k.authors = append(k.authors, part{c.ref, c.by.ID})
	case indicator.TargetSet:
		k.authors = append(k.authors, part{c.ref, c.by.ID})
		k.targets = append(k.targets, targetKeyOf(c.ref, e))
	case indicator.MeasurementRecorded:
		k.measurements = append(k.measurements, part{c.ref, e.MeasurementID})
	case indicator.MeasurementCorrected:
		k.measurements = append(k.measurements, part{c.ref, e.MeasurementID})
	case indicator.MeasurementVoided:
		k.measurements = append(k.measurements, part{c.ref, e.MeasurementID})
	}
}

// Load implements readdb.Writer. It is one round trip; a second one brings what
// only the first can tell, for the few events that need it.
func (w *writer) Load(ctx context.Context, tx pgx.Tx, changes []*change) error {
	var k keys
	for _, c := range changes {
		k.of(c)
	}
	first := &pgx.Batch{}
	err := errors.Join(
		w.organizations.Load(first, k.organizations, nil),
		w.members.Load(first, k.members, nil),
		w.grants.Load(first, k.grants, nil),
		w.holds.Load(first, k.holds, nil),
		w.strategies.Load(first, k.strategies, nil),
		w.elements.Load(first, k.elements, w.noteElements),
		w.indicators.Load(first, k.indicators, nil),
		w.authors.Load(first, k.authors, nil),
		w.targets.Load(first, k.targets, nil),
		w.measurements.Load(first, k.measurements, nil),
		w.findings.Load(first, k.findings, nil),
		w.evidence.Load(first, k.evidence, nil),
		w.sources.Load(first, k.sources, nil),
	)
	if err != nil {
		return err
	}
	if err := readdb.Send(ctx, tx, first); err != nil {
		return err
	}
	wholes := make([]part, 0, len(k.wholes))
	for _, s := range k.wholes {
		wholes = append(wholes, part{ref: s})
	}
	second := &pgx.Batch{}
	err = errors.Join(
		w.elements.LoadBelow(second, wholes, 2, w.noteElements),
		w.approvals.Load(second, w.approvalsOf(k.voided), nil),
	)
	if err != nil {
		return err
	}
	return readdb.Send(ctx, tx, second)
}

func (w *writer) noteElements(loaded []*elementRow) {
	for _, r := range loaded {
		s := ref{r.org, r.strategyID}
		w.elementsOf[s] = append(w.elementsOf[s], r.id)
	}
}

// approvalsOf are the approvals that the working revisions of strategies have
// so far. Those given in the batch itself will be in memory by then.
func (w *writer) approvalsOf(strategies []ref) []approvalKey {
	var all []approvalKey
	for _, s := range strategies {
		if row := w.strategies.Get(s); row != nil && row.working != nil {
			for _, position := range row.working.ApprovalPositions {
				all = append(all, approvalKey{s.org, position})
			}
		}
	}
	return all
}

// Fold implements readdb.Writer.
func (w *writer) Fold(c *change) error {
	if err := w.fold(c); err != nil {
		return err
	}
	w.noteOccurrences(c)
	return nil
}

func (w *writer) fold(c *change) error {
	switch e := c.body.(type) {
	case organization.Event:
		return w.foldOrganization(c, e)
	case strategy.Event:
		return w.foldStrategy(c, e)
	case indicator.Event:
		return w.foldIndicator(c, e)
	case finding.Event:
		return w.foldFinding(c, e)
	case evidence.Event:
		return w.foldEvidence(c, e)
	case source.Event:
		return w.foldSource(c, e)
	case journal.Event:
		return nil // for auditors: the audit database shows it
	}
	return fmt.Errorf("event %T has no fold", c.body)
}

// follows refuses an event that does not come right behind what the row has
// seen of the stream: the fold would be wrong without anybody noticing.
func follows(c *change, version int64) error {
	if c.version != version+1 {
		return fmt.Errorf("version %d comes behind version %d of the stream", c.version, version)
	}
	return nil
}

// Weight implements readdb.Writer. The factors are from measured sizes in memory.
func (w *writer) Weight() int {
	return w.organizations.Len() + w.members.Len() + w.grants.Len() + w.authors.Len() + w.approvals.Len() +
		w.holds.Len() + w.moves.Len() + 8*w.imports.Len() + w.occurrences.Len() + w.erasures.Len() +
		8*w.strategies.Len() + 4*w.elements.Len() + 4*w.indicators.Len() + 2*w.targets.Len() + 2*w.measurements.Len() +
		w.weight()
}

// Flush implements readdb.Writer. All tables are written in one round trip,
// except when they are loaded by COPY.
func (w *writer) Flush(ctx context.Context, tx pgx.Tx) error {
	batch := &pgx.Batch{}
	flushes := append([]func(context.Context, pgx.Tx, *pgx.Batch, bool) error{
		w.organizations.Flush, w.members.Flush, w.grants.Flush, w.holds.Flush, w.strategies.Flush, w.elements.Flush,
		w.approvals.Flush, w.indicators.Flush, w.authors.Flush, w.moves.Flush, w.targets.Flush, w.measurements.Flush, w.imports.Flush,
		w.occurrences.Flush, w.erasures.Flush,
	}, w.flushes()...)
	for _, flush := range flushes {
		if err := flush(ctx, tx, batch, w.empty); err != nil {
			return err
		}
	}
	if w.empty {
		w.elementsOf = map[ref][]string{}
	}
	return readdb.Send(ctx, tx, batch)
}
