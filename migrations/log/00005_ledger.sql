-- The ledger: the Merkle tree over the log, and what was signed of it. Locks: nothing that exists; every object is new.

-- +goose Up
CREATE SCHEMA ledger;

-- How many leaves the tiles hold. One row; moved in the transaction of the tiles, forward only.
CREATE TABLE ledger.state (
	only_row boolean NOT NULL DEFAULT true,
	size     bigint  NOT NULL,
	CONSTRAINT state_pkey              PRIMARY KEY (only_row),
	CONSTRAINT state_is_one_row        CHECK (only_row),
	CONSTRAINT state_size_not_negative CHECK (size >= 0)
) WITH (fillfactor = 20);
INSERT INTO ledger.state (size) VALUES (0);

-- Tile n of a level holds up to 256 hashes: those of leaves at level 0, of full tiles of the level below above that
-- (C2SP tlog-tiles, height 8). Only the last tile of a level grows; a full one never changes.
CREATE TABLE ledger.tiles (
	level  integer NOT NULL,
	n      bigint  NOT NULL,
	hashes bytea   NOT NULL,
	CONSTRAINT tiles_pkey             PRIMARY KEY (level, n),
	CONSTRAINT tiles_from_zero        CHECK (level BETWEEN 0 AND 7 AND n >= 0),
	CONSTRAINT tiles_are_whole_hashes CHECK (octet_length(hashes) BETWEEN 32 AND 8192 AND octet_length(hashes) % 32 = 0)
);
ALTER TABLE ledger.tiles ALTER COLUMN hashes SET STORAGE EXTERNAL; -- hashes do not compress

-- What was signed: at most one root for a size in one epoch.
CREATE TABLE ledger.checkpoints (
	epoch     integer     NOT NULL,
	size      bigint      NOT NULL,
	root      bytea       NOT NULL,
	note      bytea       NOT NULL,
	signed_at timestamptz NOT NULL,
	CONSTRAINT checkpoints_pkey           PRIMARY KEY (epoch, size),
	CONSTRAINT checkpoints_from_one       CHECK (epoch >= 1 AND size >= 1),
	CONSTRAINT checkpoints_root_is_sha256 CHECK (octet_length(root) = 32),
	CONSTRAINT checkpoints_note_bounded   CHECK (octet_length(note) BETWEEN 1 AND 65536)
);

-- The keys that have signed, and from which size to which.
CREATE TABLE ledger.keys (
	vkey       text COLLATE "C" NOT NULL,
	first_size bigint NOT NULL,
	last_size  bigint NOT NULL,
	CONSTRAINT keys_pkey         PRIMARY KEY (vkey),
	CONSTRAINT keys_size_forward CHECK (first_size >= 1 AND last_size >= first_size)
) WITH (fillfactor = 20);

COMMENT ON TABLE ledger.tiles IS 'Grows at its right edge only. Leaf i is the event at position i + 1.';
COMMENT ON TABLE ledger.checkpoints IS 'Insert-only. root and size are in note too; what counts is what is signed there.';
COMMENT ON COLUMN ledger.keys.vkey IS 'verifier key: name, key id and public key (C2SP signed-note)';

-- +goose StatementBegin
CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'ledger.% does not change: % is refused', TG_TABLE_NAME, TG_OP
		USING ERRCODE = 'restrict_violation', HINT = 'What was sealed stays sealed.';
END $$;
-- +goose StatementEnd
CREATE TRIGGER checkpoints_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.checkpoints
	FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER tiles_never_go BEFORE DELETE OR TRUNCATE ON ledger.tiles
	FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER keys_never_go BEFORE DELETE OR TRUNCATE ON ledger.keys
	FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER state_never_goes BEFORE DELETE OR TRUNCATE ON ledger.state
	FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

-- +goose StatementBegin
CREATE FUNCTION ledger.refuse_going_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'ledger.% goes forward only', TG_TABLE_NAME
		USING ERRCODE = 'restrict_violation', HINT = 'What was sealed stays sealed.';
END $$;
-- +goose StatementEnd
CREATE TRIGGER tiles_grow_only BEFORE UPDATE ON ledger.tiles FOR EACH ROW
	WHEN ((NEW.level, NEW.n) IS DISTINCT FROM (OLD.level, OLD.n) OR substr(NEW.hashes, 1, octet_length(OLD.hashes)) IS DISTINCT FROM OLD.hashes)
	EXECUTE FUNCTION ledger.refuse_going_back();
CREATE TRIGGER state_forward_only BEFORE UPDATE ON ledger.state FOR EACH ROW
	WHEN (NEW.size < OLD.size) EXECUTE FUNCTION ledger.refuse_going_back();
CREATE TRIGGER keys_forward_only BEFORE UPDATE ON ledger.keys FOR EACH ROW
	WHEN ((NEW.vkey, NEW.first_size) IS DISTINCT FROM (OLD.vkey, OLD.first_size) OR NEW.last_size < OLD.last_size)
	EXECUTE FUNCTION ledger.refuse_going_back();

ALTER TABLE ledger.checkpoints ENABLE ALWAYS TRIGGER checkpoints_insert_only;
ALTER TABLE ledger.tiles ENABLE ALWAYS TRIGGER tiles_never_go;
ALTER TABLE ledger.tiles ENABLE ALWAYS TRIGGER tiles_grow_only;
ALTER TABLE ledger.keys ENABLE ALWAYS TRIGGER keys_never_go;
ALTER TABLE ledger.keys ENABLE ALWAYS TRIGGER keys_forward_only;
ALTER TABLE ledger.state ENABLE ALWAYS TRIGGER state_never_goes;
ALTER TABLE ledger.state ENABLE ALWAYS TRIGGER state_forward_only;

REVOKE ALL ON FUNCTION ledger.refuse_change(), ledger.refuse_going_back() FROM PUBLIC;
GRANT USAGE ON SCHEMA ledger TO strata_log;
GRANT SELECT, INSERT, UPDATE ON ledger.tiles, ledger.keys TO strata_log;
GRANT SELECT, INSERT ON ledger.checkpoints TO strata_log;
GRANT SELECT, UPDATE ON ledger.state TO strata_log;
