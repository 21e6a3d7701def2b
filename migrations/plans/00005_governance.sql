-- The plans model, layout 3: findings and what they are about, evidence and its links, registered sources and what
-- they sent, and in which parts persons appear. Locks: the template only; copies with content stay as they are until
-- a service rebuilds them (see 00003).

-- +goose Up
ALTER TABLE plans_template.members ADD COLUMN offboarded_at timestamptz;
CREATE INDEX members_subject ON plans_template.members (subject_id);

ALTER TABLE plans_template.grants ADD COLUMN revoked_at timestamptz;
DROP INDEX plans_template.grants_member;
CREATE INDEX grants_member ON plans_template.grants (member_id);

ALTER TABLE plans_template.indicators ADD COLUMN owner_id text COLLATE "C" NOT NULL;
CREATE INDEX indicators_owner ON plans_template.indicators (owner_id) WHERE owner_id <> '';
CREATE INDEX indicator_authors_author ON plans_template.indicator_authors (author_id);

CREATE TABLE plans_template.findings (
	organization_id uuid        NOT NULL,
	finding_id      text COLLATE "C" NOT NULL,
	version         bigint      NOT NULL,
	raised          bigint      NOT NULL,
	state           text COLLATE "C" NOT NULL,
	kind            text COLLATE "C" NOT NULL,
	severity        text COLLATE "C" NOT NULL,
	origin          text COLLATE "C" NOT NULL,
	title           text        NOT NULL,
	engagement_ref  text        NOT NULL,
	dedupe_key      text        NOT NULL,
	dedupe          text COLLATE "C" NOT NULL,
	subjects        jsonb       NOT NULL,
	owner_id        text COLLATE "C" NOT NULL,
	due_date        text COLLATE "C" NOT NULL,
	expires_on      text COLLATE "C" NOT NULL,
	resolution      text        NOT NULL,
	raised_at       timestamptz NOT NULL,
	raised_by       text        NOT NULL,
	changed_at      timestamptz NOT NULL,
	closed_at       timestamptz,
	details         jsonb       NOT NULL,
	PRIMARY KEY (organization_id, finding_id)
);
CREATE UNIQUE INDEX findings_raised ON plans_template.findings (organization_id, raised);
CREATE UNIQUE INDEX findings_living ON plans_template.findings (organization_id, raised) WHERE state <> 'closed';
CREATE UNIQUE INDEX findings_owner ON plans_template.findings (owner_id, raised) WHERE owner_id <> '';
CREATE INDEX findings_dedupe ON plans_template.findings (dedupe, raised) WHERE dedupe <> '';
COMMENT ON COLUMN plans_template.findings.raised IS 'position: the order of the board';
COMMENT ON COLUMN plans_template.findings.dedupe IS 'dedupe_key, or its hash if that is too long for an index';
COMMENT ON COLUMN plans_template.findings.details IS 'what the board does not show';

CREATE TABLE plans_template.finding_subjects (
	organization_id uuid    NOT NULL,
	finding_id      text COLLATE "C" NOT NULL,
	subject_type    text COLLATE "C" NOT NULL,
	subject_id      text COLLATE "C" NOT NULL,
	version         bigint  NOT NULL,
	raised          bigint  NOT NULL,
	PRIMARY KEY (organization_id, finding_id, subject_type, subject_id)
);
CREATE INDEX finding_subjects_subject ON plans_template.finding_subjects (subject_id, raised);

CREATE TABLE plans_template.finding_persons (
	organization_id uuid    NOT NULL,
	finding_id      text COLLATE "C" NOT NULL,
	member_id       text COLLATE "C" NOT NULL,
	part            text COLLATE "C" NOT NULL,
	version         bigint  NOT NULL,
	PRIMARY KEY (organization_id, finding_id, member_id, part)
);
CREATE INDEX finding_persons_member ON plans_template.finding_persons (member_id);
COMMENT ON TABLE plans_template.finding_persons IS 'who ever had which part in a finding';

CREATE TABLE plans_template.evidence (
	organization_id uuid        NOT NULL,
	evidence_id     text COLLATE "C" NOT NULL,
	version         bigint      NOT NULL,
	registered      bigint      NOT NULL,
	kind            text COLLATE "C" NOT NULL,
	sha256          text COLLATE "C" NOT NULL,
	size            bigint      NOT NULL,
	media_type      text        NOT NULL,
	source_id       text        NOT NULL,
	subjects_inside jsonb       NOT NULL,
	links           integer     NOT NULL,
	collected_at    timestamptz NOT NULL,
	registered_at   timestamptz NOT NULL,
	registered_by   text COLLATE "C" NOT NULL,
	PRIMARY KEY (organization_id, evidence_id)
);
CREATE UNIQUE INDEX evidence_registered ON plans_template.evidence (organization_id, registered);
CREATE UNIQUE INDEX evidence_sha256 ON plans_template.evidence (sha256, registered);
CREATE INDEX evidence_registrar ON plans_template.evidence (registered_by);
COMMENT ON COLUMN plans_template.evidence.registered IS 'position: the order of the list';

CREATE TABLE plans_template.evidence_links (
	organization_id uuid        NOT NULL,
	linked          bigint      NOT NULL,
	version         bigint      NOT NULL,
	evidence_id     text COLLATE "C" NOT NULL,
	relation        text COLLATE "C" NOT NULL,
	target_type     text COLLATE "C" NOT NULL,
	target_id       text COLLATE "C" NOT NULL,
	revision        integer     NOT NULL,
	event_id        text        NOT NULL,
	note            text        NOT NULL,
	linked_at       timestamptz NOT NULL,
	linked_by       text        NOT NULL,
	PRIMARY KEY (organization_id, linked)
);
CREATE UNIQUE INDEX evidence_links_evidence ON plans_template.evidence_links (evidence_id, linked);
CREATE UNIQUE INDEX evidence_links_target ON plans_template.evidence_links (target_id, linked);
COMMENT ON COLUMN plans_template.evidence_links.linked IS 'position';

CREATE TABLE plans_template.evidence_subjects (
	organization_id uuid   NOT NULL,
	evidence_id     text COLLATE "C" NOT NULL,
	subject_id      text COLLATE "C" NOT NULL,
	version         bigint NOT NULL,
	PRIMARY KEY (organization_id, evidence_id, subject_id)
);
CREATE INDEX evidence_subjects_subject ON plans_template.evidence_subjects (subject_id);
COMMENT ON TABLE plans_template.evidence_subjects IS 'whose personal data the bytes hold, as far as known';

CREATE TABLE plans_template.sources (
	organization_id uuid        NOT NULL,
	source_id       text COLLATE "C" NOT NULL,
	version         bigint      NOT NULL,
	registered      bigint      NOT NULL,
	name            text        NOT NULL,
	system          text        NOT NULL,
	channel         text COLLATE "C" NOT NULL,
	steward_id      text COLLATE "C" NOT NULL,
	status          text COLLATE "C" NOT NULL,
	status_reason   text        NOT NULL,
	status_by       text        NOT NULL,
	status_since    timestamptz NOT NULL,
	public_key      text        NOT NULL,
	fingerprint     text        NOT NULL,
	allowed         jsonb       NOT NULL,
	schema_ref      text        NOT NULL,
	max_rate        integer     NOT NULL,
	registered_at   timestamptz NOT NULL,
	registered_by   text        NOT NULL,
	PRIMARY KEY (organization_id, source_id)
);
CREATE UNIQUE INDEX sources_registered ON plans_template.sources (organization_id, registered);
CREATE INDEX sources_steward ON plans_template.sources (steward_id);

-- One row per event: of what a source wrote, derived from the indicator's stream; of what was refused, from the source's.
CREATE TABLE plans_template.external_changes (
	organization_id uuid        NOT NULL,
	position        bigint      NOT NULL,
	version         bigint      NOT NULL,
	event_id        uuid        NOT NULL,
	source_id       text COLLATE "C" NOT NULL,
	channel         text        NOT NULL,
	message_id      text        NOT NULL,
	payload_sha256  text        NOT NULL,
	item            integer     NOT NULL,
	outcome         text COLLATE "C" NOT NULL,
	indicator_id    text COLLATE "C" NOT NULL,
	indicator_ref   text        NOT NULL,
	measurement_id  text        NOT NULL,
	period_start    text COLLATE "C" NOT NULL,
	period_end      text COLLATE "C" NOT NULL,
	dims            jsonb       NOT NULL,
	old_reading     jsonb       NOT NULL,
	new_reading     jsonb       NOT NULL,
	external_ref    text        NOT NULL,
	code            text        NOT NULL,
	detail          text        NOT NULL,
	evidence_id     text        NOT NULL,
	recorded_at     timestamptz NOT NULL,
	PRIMARY KEY (organization_id, position)
);
COMMENT ON COLUMN plans_template.external_changes.item IS 'which of a rejected message, from 1; 0: all of it, or not known';
CREATE UNIQUE INDEX external_changes_source ON plans_template.external_changes (source_id, position);
CREATE UNIQUE INDEX external_changes_corrected ON plans_template.external_changes (organization_id, position) WHERE outcome = 'corrected';
CREATE UNIQUE INDEX external_changes_rejected ON plans_template.external_changes (organization_id, position) WHERE outcome = 'rejected';
CREATE INDEX external_changes_rejections ON plans_template.external_changes (source_id, recorded_at) WHERE outcome = 'rejected';

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

SELECT replace_empty('plans', 3);
