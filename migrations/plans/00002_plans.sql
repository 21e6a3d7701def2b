-- The plans model: what officers ask for. Locks: nothing that exists; every object is new.
--
-- Each row is derived from one stream; version is that stream's version when the row last changed. Ids of
-- aggregates and elements are text: what an event says is kept, even if it were no UUID.
--
-- Indexes beside the primary keys leave out organization_id where another column of theirs is unique anyway:
-- while a table is small they would otherwise look as good as its primary key, and a lookup that was planned
-- then would walk all rows of an organization.

-- +goose Up
CREATE SCHEMA plans_template;

CREATE TABLE plans_template.organizations (
	organization_id   uuid        NOT NULL,
	version           bigint      NOT NULL,
	name              text        NOT NULL,
	acronym           text        NOT NULL,
	identifier        text        NOT NULL,
	time_zone         text        NOT NULL,
	fiscal_year_start integer     NOT NULL,
	registered_at     timestamptz NOT NULL,
	PRIMARY KEY (organization_id)
);

CREATE TABLE plans_template.members (
	organization_id uuid        NOT NULL,
	member_id       text COLLATE "C" NOT NULL,
	version         bigint      NOT NULL,
	enrolled        bigint      NOT NULL,
	subject_id      text        NOT NULL,
	issuer          text        NOT NULL,
	kind            text        NOT NULL,
	offboarded      boolean     NOT NULL,
	enrolled_at     timestamptz NOT NULL,
	PRIMARY KEY (organization_id, member_id)
);
CREATE UNIQUE INDEX members_enrolled ON plans_template.members (organization_id, enrolled);
COMMENT ON COLUMN plans_template.members.enrolled IS 'position of the enrolment: the order of the list';

CREATE TABLE plans_template.grants (
	organization_id uuid        NOT NULL,
	grant_id        text COLLATE "C" NOT NULL,
	version         bigint      NOT NULL,
	member_id       text COLLATE "C" NOT NULL,
	role            text        NOT NULL,
	everywhere      boolean     NOT NULL,
	strategy_ids    jsonb       NOT NULL,
	expires_at      timestamptz,
	granted_at      timestamptz NOT NULL,
	granted_by      text        NOT NULL,
	revoked         boolean     NOT NULL,
	PRIMARY KEY (organization_id, grant_id)
);
CREATE INDEX grants_member ON plans_template.grants (member_id) WHERE NOT revoked;

CREATE TABLE plans_template.strategies (
	organization_id    uuid        NOT NULL,
	strategy_id        text COLLATE "C" NOT NULL,
	version            bigint      NOT NULL,
	drafted            bigint      NOT NULL,
	activated          bigint      NOT NULL,
	state              text COLLATE "C" NOT NULL,
	lineage_key        text        NOT NULL,
	document_type      text        NOT NULL,
	replaces           text        NOT NULL,
	import_id          text        NOT NULL,
	frame              jsonb       NOT NULL,
	frame_in_force     jsonb       NOT NULL,
	working            jsonb       NOT NULL,
	in_force           jsonb       NOT NULL,
	goals              integer     NOT NULL,
	objectives         integer     NOT NULL,
	goals_in_force     integer     NOT NULL,
	objectives_in_force integer    NOT NULL,
	drafted_at         timestamptz NOT NULL,
	changed_at         timestamptz NOT NULL,
	PRIMARY KEY (organization_id, strategy_id)
);
CREATE UNIQUE INDEX strategies_drafted ON plans_template.strategies (organization_id, drafted);
COMMENT ON COLUMN plans_template.strategies.drafted IS 'position of the draft: the order of the list';
COMMENT ON COLUMN plans_template.strategies.activated IS 'position of the last activation, 0 if never: the present revision''s delta begins behind it';
COMMENT ON COLUMN plans_template.strategies.frame IS 'of the working revision, or else of the one in force';

CREATE TABLE plans_template.elements (
	organization_id uuid   NOT NULL,
	strategy_id     text COLLATE "C" NOT NULL,
	element_id      text COLLATE "C" NOT NULL,
	version         bigint NOT NULL,
	kind            text COLLATE "C" NOT NULL,
	import_id       text   NOT NULL,
	content         jsonb  NOT NULL,
	in_force        jsonb  NOT NULL,
	PRIMARY KEY (organization_id, strategy_id, element_id)
);
COMMENT ON TABLE plans_template.elements IS 'goals and objectives; content is that of the working revision, or else of the one in force; null: not part of it';

CREATE TABLE plans_template.approvals (
	organization_id uuid        NOT NULL,
	position        bigint      NOT NULL,
	version         bigint      NOT NULL,
	strategy_id     text COLLATE "C" NOT NULL,
	revision        integer     NOT NULL,
	approver_id     text        NOT NULL,
	meaning         text        NOT NULL,
	content_hash    text        NOT NULL,
	comment         text        NOT NULL,
	quorum_reached  boolean     NOT NULL,
	void            boolean     NOT NULL,
	approved_at     timestamptz NOT NULL,
	PRIMARY KEY (organization_id, position)
);
CREATE INDEX approvals_strategy ON plans_template.approvals (strategy_id, revision);

CREATE TABLE plans_template.indicators (
	organization_id uuid        NOT NULL,
	indicator_id    text COLLATE "C" NOT NULL,
	version         bigint      NOT NULL,
	defined         bigint      NOT NULL,
	strategy_id     text COLLATE "C" NOT NULL,
	objective_id    text COLLATE "C" NOT NULL,
	import_id       text        NOT NULL,
	definition      jsonb       NOT NULL,
	headline        text COLLATE "C" NOT NULL,
	epoch           integer     NOT NULL,
	health          text COLLATE "C" NOT NULL,
	targets         integer     NOT NULL,
	measurements    integer     NOT NULL,
	corrections     integer     NOT NULL,
	voided          integer     NOT NULL,
	retired         boolean     NOT NULL,
	replaced_by     text        NOT NULL,
	PRIMARY KEY (organization_id, indicator_id)
);
CREATE INDEX indicators_strategy ON plans_template.indicators (strategy_id, defined);
COMMENT ON COLUMN plans_template.indicators.headline IS 'dims of the series that health is judged on';

CREATE TABLE plans_template.indicator_authors (
	organization_id uuid   NOT NULL,
	indicator_id    text COLLATE "C" NOT NULL,
	author_id       text COLLATE "C" NOT NULL,
	version         bigint NOT NULL,
	strategy_id     text COLLATE "C" NOT NULL,
	last            bigint NOT NULL,
	PRIMARY KEY (organization_id, indicator_id, author_id)
);
CREATE INDEX indicator_authors_strategy ON plans_template.indicator_authors (strategy_id);
COMMENT ON TABLE plans_template.indicator_authors IS 'persons who wrote to definition or targets; last is the position when they did so last';

CREATE TABLE plans_template.targets (
	organization_id uuid        NOT NULL,
	indicator_id    text COLLATE "C" NOT NULL,
	dims_key        text COLLATE "C" NOT NULL,
	period_end      text COLLATE "C" NOT NULL,
	period_start    text COLLATE "C" NOT NULL,
	version         bigint      NOT NULL,
	first           bigint      NOT NULL,
	dims            jsonb       NOT NULL,
	reading         jsonb       NOT NULL,
	note            text        NOT NULL,
	epoch           integer     NOT NULL,
	changes         integer     NOT NULL,
	origin          text        NOT NULL,
	set_at          timestamptz NOT NULL,
	set_by          text        NOT NULL,
	PRIMARY KEY (organization_id, indicator_id, dims_key, period_end, period_start)
);

CREATE TABLE plans_template.measurements (
	organization_id uuid        NOT NULL,
	indicator_id    text COLLATE "C" NOT NULL,
	measurement_id  text COLLATE "C" NOT NULL,
	version         bigint      NOT NULL,
	first           bigint      NOT NULL,
	dims_key        text COLLATE "C" NOT NULL,
	period_end      text COLLATE "C" NOT NULL,
	period_start    text COLLATE "C" NOT NULL,
	dims            jsonb       NOT NULL,
	reading         jsonb       NOT NULL,
	note            text        NOT NULL,
	observed_at     timestamptz,
	external_ref    text        NOT NULL,
	epoch           integer     NOT NULL,
	corrections     integer     NOT NULL,
	void            boolean     NOT NULL,
	origin          text        NOT NULL,
	recorded_at     timestamptz NOT NULL,
	recorded_by     text        NOT NULL,
	PRIMARY KEY (organization_id, indicator_id, measurement_id)
);
CREATE INDEX measurements_series ON plans_template.measurements (dims_key, indicator_id, period_end, period_start) WHERE NOT void;
COMMENT ON COLUMN plans_template.measurements.first IS 'position of the recording';
COMMENT ON COLUMN plans_template.measurements.recorded_at IS 'of the value that lives: the recording or the last correction';

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

GRANT SELECT ON generations TO strata_plans_projector, strata_plans_reader;
GRANT UPDATE (position, state, switched_at) ON generations TO strata_plans_projector;
GRANT SELECT, INSERT, UPDATE, DELETE ON parked TO strata_plans_projector;
-- A reader may know which streams of its organization are left behind: what it reads is then not all there is.
GRANT SELECT (projection, generation, stream_id, organization_id) ON parked TO strata_plans_reader;
ALTER TABLE parked ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY projector ON parked TO strata_plans_projector USING (true) WITH CHECK (true);
CREATE POLICY reader ON parked FOR SELECT TO strata_plans_reader
	USING (organization_id = nullif(current_setting('strata.organization_id', true), '')::uuid);
GRANT EXECUTE ON FUNCTION create_generation(text), finish_generation(text, integer), drop_generation(text, integer) TO strata_plans_projector;

SELECT create_generation('plans');
SELECT finish_generation('plans', 1);
UPDATE generations SET state = 'live' WHERE projection = 'plans';
