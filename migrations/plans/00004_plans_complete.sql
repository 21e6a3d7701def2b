-- The plans model, layout 2: policy and legal holds, holds and outcomes of strategies, the register of approvals,
-- breaks and former values of series, relinked indicators, imports. Locks: the template only; copies with content stay
-- as they are until a service rebuilds them (see 00003).

-- +goose Up
GRANT EXECUTE ON FUNCTION create_generation(text, integer) TO strata_plans_projector;

ALTER TABLE plans_template.organizations ADD COLUMN policy jsonb NOT NULL;
COMMENT ON COLUMN plans_template.organizations.policy IS 'null until one was set: the defaults hold';

CREATE TABLE plans_template.legal_holds (
	organization_id uuid        NOT NULL,
	hold_id         text COLLATE "C" NOT NULL,
	version         bigint      NOT NULL,
	placed          bigint      NOT NULL,
	matter          text        NOT NULL,
	basis           text        NOT NULL,
	scope           jsonb       NOT NULL,
	placed_at       timestamptz NOT NULL,
	placed_by       text        NOT NULL,
	released_at     timestamptz,
	requested_by    text        NOT NULL,
	authorized_by   text        NOT NULL,
	release_reason  text        NOT NULL,
	PRIMARY KEY (organization_id, hold_id)
);
CREATE UNIQUE INDEX legal_holds_placed ON plans_template.legal_holds (organization_id, placed);
COMMENT ON COLUMN plans_template.legal_holds.placed IS 'position: the order of the list';

ALTER TABLE plans_template.strategies
	ADD COLUMN blockers     jsonb NOT NULL,
	ADD COLUMN outcome      text  NOT NULL,
	ADD COLUMN successor_id text  NOT NULL;
COMMENT ON COLUMN plans_template.strategies.blockers IS 'why it is on hold';

CREATE INDEX elements_goals ON plans_template.elements (strategy_id, element_id) WHERE kind = 'goal';

ALTER TABLE plans_template.approvals
	ADD COLUMN event_id       uuid  NOT NULL,
	ADD COLUMN authors        jsonb NOT NULL,
	ADD COLUMN submitted_by   text  NOT NULL,
	ADD COLUMN submitted_at   timestamptz,
	ADD COLUMN policy_version integer NOT NULL,
	ADD COLUMN auth_method    text  NOT NULL,
	ADD COLUMN auth_at        timestamptz,
	ADD COLUMN voided_at      timestamptz,
	ADD COLUMN voided_by      text  NOT NULL;
ALTER TABLE plans_template.approvals ALTER COLUMN strategy_id TYPE text COLLATE "C", ALTER COLUMN approver_id TYPE text COLLATE "C";
COMMENT ON COLUMN plans_template.approvals.authors IS 'of the revision when the approval was given';
DROP INDEX plans_template.approvals_strategy;
CREATE UNIQUE INDEX approvals_strategy ON plans_template.approvals (strategy_id, position);
CREATE UNIQUE INDEX approvals_approver ON plans_template.approvals (approver_id, position);

ALTER TABLE plans_template.indicators
	ADD COLUMN linked bigint NOT NULL,
	ADD COLUMN breaks jsonb  NOT NULL;
COMMENT ON COLUMN plans_template.indicators.linked IS 'position since which it belongs to its strategy';
COMMENT ON COLUMN plans_template.indicators.breaks IS 'comparability breaks, the earliest first';

CREATE TABLE plans_template.indicator_moves (
	organization_id uuid   NOT NULL,
	position        bigint NOT NULL,
	version         bigint NOT NULL,
	indicator_id    text COLLATE "C" NOT NULL,
	from_strategy   text COLLATE "C" NOT NULL,
	author_id       text   NOT NULL,
	PRIMARY KEY (organization_id, position)
);
CREATE UNIQUE INDEX indicator_moves_from ON plans_template.indicator_moves (from_strategy, position);
COMMENT ON TABLE plans_template.indicator_moves IS 'who took an indicator away from a strategy: an author of what the strategy then was';

ALTER TABLE plans_template.targets ADD COLUMN former jsonb NOT NULL;
CREATE UNIQUE INDEX targets_page ON plans_template.targets (indicator_id, period_start, period_end, dims_key);

ALTER TABLE plans_template.measurements
	ADD COLUMN former      jsonb NOT NULL,
	ADD COLUMN voided_at   timestamptz,
	ADD COLUMN voided_by   text  NOT NULL,
	ADD COLUMN void_reason text  NOT NULL;
COMMENT ON COLUMN plans_template.measurements.former IS 'the latest of the values before';
CREATE UNIQUE INDEX measurements_page ON plans_template.measurements (indicator_id, period_start, period_end, dims_key, measurement_id);

CREATE TABLE plans_template.imports (
	organization_id uuid        NOT NULL,
	import_id       text COLLATE "C" NOT NULL,
	version         bigint      NOT NULL,
	imported        bigint      NOT NULL,
	status          text COLLATE "C" NOT NULL,
	strategy_id     text COLLATE "C" NOT NULL,
	plan            text        NOT NULL,
	format          text        NOT NULL,
	sha256          text        NOT NULL,
	counts          jsonb       NOT NULL,
	deviations      integer     NOT NULL,
	details         jsonb       NOT NULL,
	code            text        NOT NULL,
	imported_by     text        NOT NULL,
	imported_at     timestamptz NOT NULL,
	PRIMARY KEY (organization_id, import_id)
);
CREATE UNIQUE INDEX imports_imported ON plans_template.imports (organization_id, imported);
CREATE UNIQUE INDEX imports_strategy ON plans_template.imports (strategy_id, imported) WHERE strategy_id <> '';

-- The template itself is as closed as its copies.
-- +goose StatementBegin
DO $$
DECLARE
	item record;
BEGIN
	FOR item IN SELECT tablename FROM pg_tables WHERE schemaname = 'plans_template' LOOP
		EXECUTE format('ALTER TABLE plans_template.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', item.tablename);
	END LOOP;
END $$;
-- +goose StatementEnd

SELECT replace_empty('plans', 2);
