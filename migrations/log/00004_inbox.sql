-- The inbox: which messages of sources were settled, and how. Locks: nothing that exists; every object is new.

-- +goose Up
-- Written after what a message led to is in the log; a message that is not here is decided again, and finds itself
-- there. Rows never change.
CREATE TABLE inbox (
	source_id       uuid        NOT NULL,
	message_id      text COLLATE "C" NOT NULL,
	organization_id uuid        NOT NULL,
	sha256          bytea       NOT NULL,
	sequence        bigint,
	refused         boolean     NOT NULL,
	answer          bytea       NOT NULL,
	received_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
	CONSTRAINT inbox_pkey              PRIMARY KEY (source_id, message_id),
	CONSTRAINT inbox_sequence_key      UNIQUE (source_id, sequence),
	CONSTRAINT inbox_message_bounded   CHECK (octet_length(message_id) BETWEEN 1 AND 255),
	CONSTRAINT inbox_hash_is_sha256    CHECK (octet_length(sha256) = 32),
	CONSTRAINT inbox_sequence_positive CHECK (sequence > 0),
	CONSTRAINT inbox_answer_bounded    CHECK (octet_length(answer) BETWEEN 2 AND 4194304)
);

COMMENT ON COLUMN inbox.sha256 IS 'of the body as it came; the same message id with another body is another message';
COMMENT ON COLUMN inbox.sequence IS 'the highest of the message''s sequence numbers, above all before of its source; null if it has none';

-- +goose StatementBegin
CREATE FUNCTION inbox_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'inbox is insert-only: % is refused', TG_OP
		USING ERRCODE = 'restrict_violation', HINT = 'An answer that was given stays given.';
END $$;
-- +goose StatementEnd
CREATE TRIGGER inbox_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON inbox
	FOR EACH STATEMENT EXECUTE FUNCTION inbox_refuse_change();

-- Messages of a source are settled one after the other, so what is there is all that came before.
-- +goose StatementBegin
CREATE FUNCTION inbox_refuse_sequence_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.sequence <= (SELECT max(i.sequence) FROM public.inbox i WHERE i.source_id = NEW.source_id) THEN
		RAISE EXCEPTION 'sequence % of source % goes back', NEW.sequence, NEW.source_id
			USING ERRCODE = 'integrity_constraint_violation';
	END IF;
	RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER inbox_sequence_forward BEFORE INSERT ON inbox
	FOR EACH ROW WHEN (NEW.sequence IS NOT NULL) EXECUTE FUNCTION inbox_refuse_sequence_back();

ALTER TABLE inbox ENABLE ALWAYS TRIGGER inbox_insert_only;
ALTER TABLE inbox ENABLE ALWAYS TRIGGER inbox_sequence_forward;

REVOKE ALL ON FUNCTION inbox_refuse_change(), inbox_refuse_sequence_back() FROM PUBLIC;
GRANT SELECT, INSERT ON inbox TO strata_log;
