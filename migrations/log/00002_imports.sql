-- Imports: the documents as they came, and how far each import is. Locks: nothing that exists; every object is new.

-- +goose Up
-- The bytes of imported documents, by what they are. They name persons, so they are not part of the log, whose
-- events hold their hash only.
CREATE TABLE originals (
	organization_id uuid        NOT NULL,
	sha256          bytea       NOT NULL,
	bytes           bytea       NOT NULL,
	kept_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
	CONSTRAINT originals_pkey          PRIMARY KEY (organization_id, sha256),
	CONSTRAINT originals_size_bounded  CHECK (octet_length(bytes) BETWEEN 1 AND 16777216),
	CONSTRAINT originals_are_what_they_are_called CHECK (sha256 = pg_catalog.sha256(bytes))
);

-- +goose StatementBegin
CREATE FUNCTION originals_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'originals is insert-only: % is refused', TG_OP
		USING ERRCODE = 'restrict_violation', HINT = 'What came in stays as it came in.';
END $$;
-- +goose StatementEnd
CREATE TRIGGER originals_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON originals
	FOR EACH STATEMENT EXECUTE FUNCTION originals_refuse_change();
ALTER TABLE originals ENABLE ALWAYS TRIGGER originals_insert_only;

-- How far imports are: for those who wait, and for whoever goes on with them after a crash. What was recorded is in
-- the log; a lost row is lost progress, nothing else.
CREATE TABLE import_runs (
	organization_id uuid    NOT NULL,
	import_id       uuid    NOT NULL,
	state           text COLLATE "C" NOT NULL,
	done            integer NOT NULL DEFAULT 0,
	total           integer NOT NULL DEFAULT 0,
	revision        integer NOT NULL DEFAULT 0,
	version         bigint  NOT NULL DEFAULT 0,
	position        bigint  NOT NULL DEFAULT 0,
	failure         jsonb,
	updated_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
	CONSTRAINT import_runs_pkey   PRIMARY KEY (organization_id, import_id),
	CONSTRAINT import_runs_states CHECK (state IN ('accepted', 'applying', 'applied', 'failed')),
	CONSTRAINT import_runs_failed_for_a_reason CHECK ((state = 'failed') = (failure IS NOT NULL))
) WITH (fillfactor = 50);
CREATE INDEX import_runs_unfinished ON import_runs (updated_at) WHERE state IN ('accepted', 'applying');

REVOKE ALL ON FUNCTION originals_refuse_change() FROM PUBLIC;
GRANT SELECT, INSERT ON originals TO strata_log;
GRANT SELECT, INSERT, UPDATE ON import_runs TO strata_log;
