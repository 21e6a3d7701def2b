-- Originals under keys of their own. Locks: originals, for an instant, to exchange a trigger; every other object is new.

-- +goose Up
-- The bytes of imported documents and of evidence, encrypted under a key per document that is in no database. The hash
-- is that of the bytes in clear: it says what the event about them says, and proves what they were once they cannot be
-- read any more.
CREATE TABLE sealed_originals (
	organization_id uuid    NOT NULL,
	sha256          bytea   NOT NULL,
	key_id          text COLLATE "C" NOT NULL GENERATED ALWAYS AS ('document-' || pg_catalog.encode(sha256, 'hex')) STORED,
	size            integer NOT NULL,
	ciphertext      bytea   NOT NULL,
	kept_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
	CONSTRAINT sealed_originals_pkey           PRIMARY KEY (organization_id, sha256),
	CONSTRAINT sealed_originals_hash_is_sha256 CHECK (octet_length(sha256) = 32),
	CONSTRAINT sealed_originals_size_bounded   CHECK (size BETWEEN 1 AND 16777216),
	CONSTRAINT sealed_originals_are_whole      CHECK (octet_length(ciphertext) IN (0, size + 29))
);
-- Already noise: compressing it costs time and saves nothing.
ALTER TABLE sealed_originals ALTER COLUMN ciphertext SET STORAGE EXTERNAL;

COMMENT ON COLUMN sealed_originals.key_id IS 'in the key store';
COMMENT ON COLUMN sealed_originals.ciphertext IS 'version, nonce, encrypted bytes and tag; empty if the document was erased before it was sealed';

-- +goose StatementBegin
CREATE FUNCTION sealed_originals_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'sealed_originals is insert-only: % is refused', TG_OP
		USING ERRCODE = 'restrict_violation', HINT = 'To erase a document, destroy its key.';
END $$;
-- +goose StatementEnd
CREATE TRIGGER sealed_originals_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON sealed_originals
	FOR EACH STATEMENT EXECUTE FUNCTION sealed_originals_refuse_change();
ALTER TABLE sealed_originals ENABLE ALWAYS TRIGGER sealed_originals_insert_only;

-- A document in clear may go once it is there sealed, and for nothing else.
-- +goose StatementBegin
CREATE FUNCTION originals_refuse_loss() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (SELECT FROM public.sealed_originals s WHERE s.organization_id = OLD.organization_id AND s.sha256 = OLD.sha256) THEN
		RETURN OLD;
	END IF;
	RAISE EXCEPTION 'originals is insert-only: % is refused', TG_OP
		USING ERRCODE = 'restrict_violation', HINT = 'What came in stays, in clear or sealed.';
END $$;
-- +goose StatementEnd
CREATE TRIGGER originals_sealed_first BEFORE DELETE ON originals
	FOR EACH ROW EXECUTE FUNCTION originals_refuse_loss();
ALTER TABLE originals ENABLE ALWAYS TRIGGER originals_sealed_first;
DROP TRIGGER originals_insert_only ON originals;
CREATE TRIGGER originals_insert_only BEFORE UPDATE OR TRUNCATE ON originals
	FOR EACH STATEMENT EXECUTE FUNCTION originals_refuse_change();
ALTER TABLE originals ENABLE ALWAYS TRIGGER originals_insert_only;

-- The service may not delete. This is the one way in which a row of originals goes: by whoever has just made sure that
-- its sealed copy opens to the same bytes.
-- +goose StatementBegin
CREATE FUNCTION drop_clear_original(organization uuid, hash bytea) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	DELETE FROM public.originals o WHERE o.organization_id = organization AND o.sha256 = hash;
	RETURN FOUND;
END $$;
-- +goose StatementEnd

REVOKE ALL ON FUNCTION sealed_originals_refuse_change(), originals_refuse_loss(), drop_clear_original(uuid, bytea) FROM PUBLIC;
GRANT SELECT, INSERT ON sealed_originals TO strata_log;
GRANT EXECUTE ON FUNCTION drop_clear_original(uuid, bytea) TO strata_log;
