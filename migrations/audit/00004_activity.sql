-- The audit model, layout 2: who did what in which strategy, in which role, about what. Locks: the template only;
-- copies with content stay as they are until a service rebuilds them (see 00003).
--
-- What is listed in the order of positions has an index by that column and position. The queries compare rows of
-- both, which no other index can serve: else a plan made for a common value would walk the whole log for a rare one.

-- +goose Up
GRANT EXECUTE ON FUNCTION create_generation(text, integer) TO strata_audit_projector;

ALTER TABLE audit_template.events
	ADD COLUMN strategy_id text COLLATE "C" NOT NULL,
	ADD COLUMN moved_from  text COLLATE "C" NOT NULL,
	ADD COLUMN subject_id  text COLLATE "C" NOT NULL,
	ADD COLUMN actor_roles text COLLATE "C" NOT NULL;
COMMENT ON COLUMN audit_template.events.strategy_id IS 'the strategy that the stream is, or belonged to after the event; empty if none';
COMMENT ON COLUMN audit_template.events.moved_from IS 'the strategy that the event took the stream away from; empty if none';
COMMENT ON COLUMN audit_template.events.subject_id IS 'the element, measurement, member, grant or hold that the event is about; empty if it is the whole aggregate';
COMMENT ON COLUMN audit_template.events.actor_roles IS 'the roles that the actor held then: sorted, by commas';

DROP INDEX audit_template.events_stream, audit_template.events_type, audit_template.events_actor, audit_template.events_recorded_at;
CREATE UNIQUE INDEX events_stream ON audit_template.events (stream_id, position);
CREATE INDEX events_type ON audit_template.events (type, position);
CREATE INDEX events_actor ON audit_template.events (actor_id, position);
CREATE INDEX events_roles ON audit_template.events (actor_roles, position);
CREATE INDEX events_strategy ON audit_template.events (strategy_id, position);
CREATE INDEX events_moved ON audit_template.events (moved_from, position) WHERE moved_from <> '';
CREATE INDEX events_recorded_at ON audit_template.events (recorded_at, position);

CREATE TABLE audit_template.streams (
	organization_id uuid   NOT NULL,
	stream_id       text COLLATE "C" NOT NULL,
	version         bigint NOT NULL,
	strategy_id     text COLLATE "C" NOT NULL,
	PRIMARY KEY (organization_id, stream_id)
);
COMMENT ON TABLE audit_template.streams IS 'indicators and the strategy each belongs to now';
ALTER TABLE audit_template.streams ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

SELECT replace_empty('audit', 2);
