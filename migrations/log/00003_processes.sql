-- Timers of the processes across aggregates. Locks: nothing that exists; every object is new.

-- +goose Up
-- What is to be looked at when a time has come: a risk accepted until a day, a role granted until an instant. A timer
-- says when and about what, never what to do: that follows from what the log says when it fires. It follows from the
-- event that set it, so reading the log again makes lost ones again and no others.
CREATE TABLE timers (
	organization_id uuid        NOT NULL,
	timer_id        uuid        NOT NULL,
	kind            text COLLATE "C" NOT NULL,
	subject         text COLLATE "C" NOT NULL,
	due_at          timestamptz NOT NULL,
	try_at          timestamptz NOT NULL,
	cause_event_id  uuid        NOT NULL,
	cause_position  bigint      NOT NULL,
	correlation_id  text        NOT NULL,
	state           text COLLATE "C" NOT NULL DEFAULT 'pending',
	attempts        integer     NOT NULL DEFAULT 0,
	failure         text,
	set_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
	fired_at        timestamptz,
	CONSTRAINT timers_pkey     PRIMARY KEY (organization_id, timer_id),
	CONSTRAINT timers_states   CHECK (state IN ('pending', 'fired', 'cancelled')),
	CONSTRAINT timers_fired_at CHECK ((state = 'fired') = (fired_at IS NOT NULL)),
	CONSTRAINT timers_names    CHECK (octet_length(kind) BETWEEN 1 AND 100 AND octet_length(subject) BETWEEN 1 AND 200)
) WITH (fillfactor = 80);
CREATE INDEX timers_due ON timers (try_at) WHERE state = 'pending';
CREATE INDEX timers_subject ON timers (organization_id, subject, kind, cause_position);

COMMENT ON COLUMN timers.due_at IS 'when it is to fire';
COMMENT ON COLUMN timers.try_at IS 'when it is tried next: due_at, or later after a failure';
COMMENT ON COLUMN timers.cause_position IS 'of the event that set it; of one kind and subject the latest counts';

-- A timer fires once: one that has fired, or was cancelled, stays so, and none becomes another.
-- +goose StatementBegin
CREATE FUNCTION timers_refuse_return() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF OLD.state <> 'pending' OR (NEW.organization_id, NEW.timer_id, NEW.kind, NEW.subject, NEW.due_at, NEW.cause_event_id, NEW.cause_position)
		IS DISTINCT FROM (OLD.organization_id, OLD.timer_id, OLD.kind, OLD.subject, OLD.due_at, OLD.cause_event_id, OLD.cause_position) THEN
		RAISE EXCEPTION 'timer % is %: this change is refused', OLD.timer_id, OLD.state
			USING ERRCODE = 'restrict_violation', HINT = 'A timer is set once and fires once.';
	END IF;
	RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER timers_fire_once BEFORE UPDATE ON timers
	FOR EACH ROW EXECUTE FUNCTION timers_refuse_return();
ALTER TABLE timers ENABLE ALWAYS TRIGGER timers_fire_once;

REVOKE ALL ON FUNCTION timers_refuse_return() FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE ON timers TO strata_log;
