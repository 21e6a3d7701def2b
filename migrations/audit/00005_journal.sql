-- The audit model, layout 3: events by what they are about in any stream, and refusals by rule. Locks: the template
-- only; copies with content stay as they are until a service rebuilds them (see 00003).

-- +goose Up
ALTER TABLE audit_template.events ADD COLUMN rule text COLLATE "C" NOT NULL;
COMMENT ON COLUMN audit_template.events.rule IS 'the rule that refused, of an entry of a journal; empty for everything else';
COMMENT ON COLUMN audit_template.events.subject_id IS 'the element, measurement, member, grant or hold that the event is about; of an entry of a journal the actor; of linked evidence its target; empty if it is the whole aggregate';

CREATE INDEX events_subject ON audit_template.events (subject_id, position) WHERE subject_id <> '';
CREATE INDEX events_rule ON audit_template.events (rule, position) WHERE rule <> '';

SELECT replace_empty('audit', 3);
