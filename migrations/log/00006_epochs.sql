-- Epochs: the histories of a log that was restored. Locks: cursors, for as long as a column is added to it; what is
-- there is not rewritten.

-- +goose Up
-- Epoch 1 is not in it: it is there from the start. The event at the position first says the same to whoever reads
-- the log; a restore fills this table from those events.
CREATE TABLE epochs (
	number      integer     NOT NULL,
	first       bigint      NOT NULL,
	restored_to bigint      NOT NULL,
	lost_head   bigint,
	reason      text        NOT NULL,
	event_id    uuid        NOT NULL,
	started_at  timestamptz NOT NULL,
	CONSTRAINT epochs_pkey                PRIMARY KEY (number),
	CONSTRAINT epochs_second_and_later    CHECK (number >= 2),
	CONSTRAINT epochs_continue            CHECK (restored_to >= 0 AND first = restored_to + 1),
	CONSTRAINT epochs_lost_what_followed  CHECK (lost_head > restored_to),
	CONSTRAINT epochs_have_a_reason       CHECK (length(reason) BETWEEN 1 AND 1000)
);

COMMENT ON TABLE epochs IS 'Insert-only. Histories after the first: each goes on behind restored_to with the event at first.';
COMMENT ON COLUMN epochs.lost_head IS 'last position known of the history that was left behind; NULL = nothing is known of it';

-- +goose StatementBegin
CREATE FUNCTION epochs_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'epochs is insert-only: % is refused', TG_OP
		USING ERRCODE = 'restrict_violation', HINT = 'A history that was begun stays begun. Begin another one.';
END $$;
-- +goose StatementEnd
CREATE TRIGGER epochs_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON epochs
	FOR EACH STATEMENT EXECUTE FUNCTION epochs_refuse_change();

-- Numbers that go up, and no epoch without the event that says so.
-- +goose StatementBegin
CREATE FUNCTION epochs_follow_the_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.number <= (SELECT coalesce(max(p.number), 1) FROM public.epochs p)
		OR NEW.first <= (SELECT coalesce(max(p.first), 0) FROM public.epochs p)
		OR NOT EXISTS (SELECT FROM public.events e WHERE e.position = NEW.first AND e.event_id = NEW.event_id
			AND e.type = 'journal.epoch-started' AND e.recorded_at = NEW.started_at) THEN
		RAISE EXCEPTION 'epoch % does not follow from the log', NEW.number USING ERRCODE = 'integrity_constraint_violation';
	END IF;
	RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER epochs_follow BEFORE INSERT ON epochs
	FOR EACH ROW EXECUTE FUNCTION epochs_follow_the_log();
ALTER TABLE epochs ENABLE ALWAYS TRIGGER epochs_insert_only;

-- The history that a consumer group followed to its position.
ALTER TABLE cursors ADD COLUMN epoch integer NOT NULL DEFAULT 1 CONSTRAINT cursors_epoch_from_one CHECK (epoch >= 1);

REVOKE ALL ON FUNCTION epochs_refuse_change(), epochs_follow_the_log() FROM PUBLIC;
GRANT SELECT ON epochs TO strata_log;
