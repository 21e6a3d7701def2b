-- The audit model: every event, as it was recorded. Locks: nothing that exists; every object is new.

-- +goose Up
CREATE SCHEMA audit_template;

CREATE TABLE audit_template.events (
	organization_id       uuid        NOT NULL,
	position              bigint      NOT NULL,
	organization_sequence bigint      NOT NULL,
	version               bigint      NOT NULL,
	recorded_at           timestamptz NOT NULL,
	event_id              uuid        NOT NULL,
	command_id            uuid,
	schema_version        integer     NOT NULL,
	stream_id             text COLLATE "C" NOT NULL,
	type                  text COLLATE "C" NOT NULL,
	actor_kind            text COLLATE "C" NOT NULL,
	actor_id              text COLLATE "C" NOT NULL,
	correlation_id        text COLLATE "C" NOT NULL,
	causation_id          text COLLATE "C" NOT NULL,
	reason                text COLLATE "C" NOT NULL,
	command_hash          bytea,
	data                  bytea       NOT NULL,
	metadata              bytea       NOT NULL,
	PRIMARY KEY (organization_id, position)
);
CREATE UNIQUE INDEX events_sequence ON audit_template.events (organization_id, organization_sequence);
CREATE UNIQUE INDEX events_stream ON audit_template.events (organization_id, stream_id, version);
CREATE UNIQUE INDEX events_event_id ON audit_template.events (organization_id, event_id);
CREATE INDEX events_type ON audit_template.events (organization_id, type, position);
CREATE INDEX events_actor ON audit_template.events (organization_id, actor_id, position) WHERE actor_id <> '';
CREATE INDEX events_recorded_at ON audit_template.events (organization_id, recorded_at);
COMMENT ON TABLE audit_template.events IS 'data and metadata are the stored bytes; actor, correlation, causation and reason are read out of metadata, empty if it cannot be read';
ALTER TABLE audit_template.events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

GRANT SELECT ON generations TO strata_audit_projector, strata_audit_reader;
GRANT UPDATE (position, state, switched_at) ON generations TO strata_audit_projector;
GRANT SELECT, INSERT, UPDATE, DELETE ON parked TO strata_audit_projector;
-- A reader may know which streams of its organization are left behind: what it reads is then not all there is.
GRANT SELECT (projection, generation, stream_id, organization_id) ON parked TO strata_audit_reader;
ALTER TABLE parked ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY projector ON parked TO strata_audit_projector USING (true) WITH CHECK (true);
CREATE POLICY reader ON parked FOR SELECT TO strata_audit_reader
	USING (organization_id = nullif(current_setting('strata.organization_id', true), '')::uuid);
GRANT EXECUTE ON FUNCTION create_generation(text), finish_generation(text, integer), drop_generation(text, integer) TO strata_audit_projector;

SELECT create_generation('audit');
SELECT finish_generation('audit', 1);
UPDATE generations SET state = 'live' WHERE projection = 'audit';
