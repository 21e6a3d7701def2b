package main

import (
	"context"

	"strata.dev/strata/adapters/auditdb"
	"strata.dev/strata/adapters/plansdb"
	"strata.dev/strata/migrations"
)

// readModels are the two read databases, fresh.
type readModels struct {
	plans     *plansdb.Projection
	audit     *auditdb.Projection
	plansURLs map[string]string
	auditURLs map[string]string
}

func (b *bench) readModels(ctx context.Context, name string) (*readModels, error) {
	m := &readModels{}
	var err error
	if m.plansURLs, err = b.servers.database(ctx, migrations.Plans, name+"_plans"); err != nil {
		return nil, err
	}
	if m.auditURLs, err = b.servers.database(ctx, migrations.Audit, name+"_audit"); err != nil {
		return nil, err
	}
	if m.plans, err = plansdb.OpenProjection(ctx, m.plansURLs["strata_plans_projector"], plansdb.Options{}); err != nil {
		return nil, err
	}
	m.audit, err = auditdb.OpenProjection(ctx, m.auditURLs["strata_audit_projector"], auditdb.Options{})
	return m, err
}

func (m *readModels) close() {
	m.plans.Close()
	m.audit.Close()
}
