-- The event log. Locks: nothing that exists; every object is new.

-- +goose Up
CREATE TABLE events (
	position              bigint      NOT NULL,
	organization_sequence bigint      NOT NULL,
	version               bigint      NOT NULL,
	recorded_at           timestamptz NOT NULL,
	organization_id       uuid        NOT NULL,
	event_id              uuid        NOT NULL,
	command_id            uuid,
	schema_version        integer     NOT NULL,
	stream_id             text COLLATE "C" NOT NULL,
	type                  text COLLATE "C" NOT NULL,
	command_hash          bytea,
	data                  bytea       NOT NULL,
	metadata              bytea       NOT NULL,
	CONSTRAINT events_pkey                 PRIMARY KEY (position),
	CONSTRAINT events_organization_key     UNIQUE (organization_id, organization_sequence),
	CONSTRAINT events_stream_key           UNIQUE (stream_id, version),
	CONSTRAINT events_event_id_key         UNIQUE (event_id),
	CONSTRAINT events_numbers_from_one     CHECK (position > 0 AND organization_sequence > 0 AND version > 0 AND schema_version > 0),
	CONSTRAINT events_names_bounded        CHECK (octet_length(stream_id) BETWEEN 1 AND 200 AND octet_length(type) BETWEEN 1 AND 200),
	CONSTRAINT events_size_bounded         CHECK (octet_length(data) + octet_length(metadata) <= 1048576),
	CONSTRAINT events_command_has_its_hash CHECK ((command_id IS NULL) = (command_hash IS NULL)),
	CONSTRAINT events_hash_is_sha256       CHECK (octet_length(command_hash) = 32)
) WITH (
	-- Rows never change, so vacuum has one thing to do: freeze them, early and in small steps.
	autovacuum_freeze_min_age = 0,
	autovacuum_vacuum_insert_threshold = 50000,
	autovacuum_vacuum_insert_scale_factor = 0.05,
	autovacuum_analyze_threshold = 10000,
	autovacuum_analyze_scale_factor = 0.05
);

-- A command id is on the first event of a command only; unique: a command happens once.
CREATE UNIQUE INDEX events_command_id_key ON events (command_id) WHERE command_id IS NOT NULL;

COMMENT ON TABLE events IS 'Append-only. Positions are contiguous from 1 in commit order; so are organization_sequence per organization and version per stream.';
COMMENT ON COLUMN events.data IS 'canonical JSON (RFC 8785), exactly as hashed';
COMMENT ON COLUMN events.metadata IS 'canonical JSON (RFC 8785), exactly as hashed';
COMMENT ON COLUMN events.recorded_at IS 'the clock at append, never before the previous position''s';

-- History is not rewritten, not even by the owner.
-- +goose StatementBegin
CREATE FUNCTION events_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'events is append-only: % is refused', TG_OP
		USING ERRCODE = 'restrict_violation', HINT = 'A fact that was wrong is corrected by another fact.';
END $$;
-- +goose StatementEnd
CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events
	FOR EACH STATEMENT EXECUTE FUNCTION events_refuse_change();

-- One writer at a time, to the commit: positions become visible in their order. Writers take this lock in
-- a statement of their own, before the one that numbers and inserts; here it is for one that forgot.
-- +goose StatementBegin
CREATE FUNCTION events_take_append_lock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(6004514643731611649);
	RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER events_append_lock BEFORE INSERT ON events
	FOR EACH STATEMENT EXECUTE FUNCTION events_take_append_lock();

-- No gaps in the positions and no step back in time, whoever writes. Positions are unique and were contiguous
-- before, so it is enough that the new ones are contiguous and follow one that is there. (One aggregate and one
-- probe per statement: about 2 % of a group's time. Probing versions and organization sequences row by row
-- costs 7 %; for those the unique constraints and the append statement answer.)
-- +goose StatementBegin
CREATE FUNCTION events_refuse_gaps() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	wrong boolean;
BEGIN
	SELECT max(n.position) - min(n.position) + 1 <> count(*) OR (min(n.position) > 1 AND coalesce(
	       (SELECT e.recorded_at FROM public.events e WHERE e.position = min(n.position) - 1) > min(n.recorded_at), true))
	INTO wrong FROM inserted n;
	IF wrong THEN
		RAISE EXCEPTION 'events would have a gap in its positions or go back in time'
			USING ERRCODE = 'integrity_constraint_violation';
	END IF;
	RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER events_no_gaps AFTER INSERT ON events REFERENCING NEW TABLE AS inserted
	FOR EACH STATEMENT EXECUTE FUNCTION events_refuse_gaps();

-- ALWAYS: session_replication_role = replica does not switch them off.
ALTER TABLE events ENABLE ALWAYS TRIGGER events_append_only;
ALTER TABLE events ENABLE ALWAYS TRIGGER events_append_lock;
ALTER TABLE events ENABLE ALWAYS TRIGGER events_no_gaps;

-- Where each consumer group is. Updated after every batch: room for HOT updates, vacuumed often.
CREATE TABLE cursors (
	consumer_group text COLLATE "C" NOT NULL,
	position       bigint      NOT NULL,
	updated_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
	CONSTRAINT cursors_pkey PRIMARY KEY (consumer_group),
	CONSTRAINT cursors_position_not_negative CHECK (position >= 0)
) WITH (fillfactor = 20, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0);

-- Streams a consumer group has set aside: the first event it could not take. What follows on the stream waits.
CREATE TABLE parked (
	consumer_group text COLLATE "C" NOT NULL,
	stream_id      text COLLATE "C" NOT NULL,
	position       bigint      NOT NULL,
	event_id       uuid        NOT NULL,
	reason         text        NOT NULL,
	attempts       integer     NOT NULL DEFAULT 1,
	parked_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
	CONSTRAINT parked_pkey PRIMARY KEY (consumer_group, stream_id)
);

REVOKE ALL ON FUNCTION events_refuse_change(), events_take_append_lock(), events_refuse_gaps() FROM PUBLIC;
GRANT SELECT, INSERT ON events TO strata_log;
GRANT SELECT, INSERT, UPDATE, DELETE ON cursors, parked TO strata_log;
