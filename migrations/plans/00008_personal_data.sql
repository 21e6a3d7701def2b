-- The plans model, layout 4: sealed texts stay in it, in which places somebody is named or has signed, and what was
-- erased. What is sealed here nobody can read without a key that is in no database. Locks: the template only; copies
-- with content stay as they are until a service rebuilds them (see 00003).

-- +goose Up
ALTER TABLE plans_template.members
	ADD COLUMN display_name text NOT NULL,
	ADD COLUMN email        text NOT NULL;
COMMENT ON COLUMN plans_template.members.display_name IS 'sealed for subject_id';
COMMENT ON COLUMN plans_template.members.email IS 'sealed for subject_id';

ALTER TABLE plans_template.approvals ADD COLUMN printed_name text NOT NULL;
COMMENT ON COLUMN plans_template.approvals.printed_name IS 'of the approver, sealed for them';

ALTER TABLE plans_template.evidence ADD COLUMN file_name text NOT NULL;
COMMENT ON COLUMN plans_template.evidence.file_name IS 'sealed under the document''s own key';

CREATE TABLE plans_template.occurrences (
	organization_id uuid   NOT NULL,
	person_id       text   COLLATE "C" NOT NULL,
	part            text   COLLATE "C" NOT NULL,
	type            text   COLLATE "C" NOT NULL,
	id              text   COLLATE "C" NOT NULL,
	version         bigint NOT NULL,
	stream          text   COLLATE "C" NOT NULL,
	sealed          text   NOT NULL,
	PRIMARY KEY (organization_id, person_id, part, type, id)
);
COMMENT ON TABLE plans_template.occurrences IS 'who is named, or has signed, in what: derived from every event of its stream';
COMMENT ON COLUMN plans_template.occurrences.person_id IS 'a subject; of a signer, a member';
COMMENT ON COLUMN plans_template.occurrences.sealed IS 'the latest text in the stream that says who it is, sealed for them';

CREATE TABLE plans_template.erasures (
	organization_id uuid        NOT NULL,
	position        bigint      NOT NULL,
	version         bigint      NOT NULL,
	subject_id      text        COLLATE "C" NOT NULL,
	event_id        uuid        NOT NULL,
	erased_at       timestamptz NOT NULL,
	event           jsonb       NOT NULL,
	PRIMARY KEY (organization_id, position)
);
CREATE INDEX erasures_subject ON plans_template.erasures (subject_id);
COMMENT ON TABLE plans_template.erasures IS 'whose personal data was erased, why, by whom, and under what anything is kept';

-- The template itself is as closed as its copies.
ALTER TABLE plans_template.occurrences ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE plans_template.erasures ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

SELECT replace_empty('plans', 4);
