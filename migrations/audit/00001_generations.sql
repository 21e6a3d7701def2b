-- Generations of a projection. Locks: nothing that exists; every object is new.
--
-- A projection's tables live in one schema per generation, so that a rebuild works beside the live model and
-- readers change over in one commit. The tables are described once, in schema <projection>_template; the
-- functions here copy it. They run with the owner's rights: the projector needs no right to create anything.
-- The plans and the audit database hold the same text of this file.

-- +goose Up
CREATE TABLE generations (
	projection  text COLLATE "C" NOT NULL,
	generation  integer     NOT NULL,
	schema_name text COLLATE "C" NOT NULL,
	position    bigint      NOT NULL DEFAULT 0,
	state       text COLLATE "C" NOT NULL DEFAULT 'building',
	started_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
	switched_at timestamptz,
	CONSTRAINT generations_pkey PRIMARY KEY (projection, generation),
	CONSTRAINT generations_schema_key UNIQUE (schema_name),
	CONSTRAINT generations_state CHECK (state IN ('building', 'live', 'retired')),
	CONSTRAINT generations_position_not_negative CHECK (position >= 0)
) WITH (fillfactor = 20, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0);
CREATE UNIQUE INDEX generations_one_live ON generations (projection) WHERE state = 'live';
COMMENT ON COLUMN generations.position IS 'the checkpoint: the last position of the log that this copy contains; moves in the transaction of the effect';
COMMENT ON COLUMN generations.switched_at IS 'when it stopped being the live one';

CREATE TABLE parked (
	projection      text COLLATE "C" NOT NULL,
	generation      integer     NOT NULL,
	stream_id       text COLLATE "C" NOT NULL,
	organization_id uuid        NOT NULL,
	position        bigint      NOT NULL,
	version         bigint      NOT NULL,
	event_id        uuid        NOT NULL,
	type            text COLLATE "C" NOT NULL,
	reason          text        NOT NULL,
	parked_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
	skipped         bigint      NOT NULL DEFAULT 0,
	CONSTRAINT parked_pkey PRIMARY KEY (projection, generation, stream_id),
	CONSTRAINT parked_generation_fkey FOREIGN KEY (projection, generation) REFERENCES generations ON DELETE CASCADE
);
COMMENT ON TABLE parked IS 'streams that a copy left behind at an event it could not apply; what follows on the stream is skipped';

-- create_generation copies the template's tables, with their primary keys only: the rest comes after the load.
-- Until then nobody but the projector can look into them.
-- +goose StatementBegin
CREATE FUNCTION create_generation(for_projection text) RETURNS integer
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	template  text := for_projection || '_template';
	projector text := 'strata_' || for_projection || '_projector';
	number    integer;
	target    text;
	item      record;
BEGIN
	PERFORM pg_advisory_xact_lock(hashtextextended('strata generation ' || for_projection, 0));
	SELECT coalesce(max(generation), 0) + 1 INTO number FROM public.generations WHERE projection = for_projection;
	target := for_projection || '_g' || number;
	EXECUTE format('CREATE SCHEMA %I', target);
	EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', target, projector);
	FOR item IN
		SELECT c.relname, pg_get_constraintdef(p.oid) AS key,
		       EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'organization_id' AND a.attnotnull) AS owned
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		JOIN pg_constraint p ON p.conrelid = c.oid AND p.contype = 'p'
		WHERE n.nspname = template AND c.relkind = 'r' ORDER BY c.relname
	LOOP
		IF NOT item.owned THEN
			RAISE EXCEPTION 'table %.% has no organization_id', template, item.relname;
		END IF;
		EXECUTE format('CREATE TABLE %I.%I (LIKE %I.%I INCLUDING ALL EXCLUDING INDEXES, %s)',
			target, item.relname, template, item.relname, item.key);
		EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I.%I TO %I', target, item.relname, projector);
	END LOOP;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'there is no projection %', for_projection;
	END IF;
	INSERT INTO public.generations (projection, generation, schema_name) VALUES (for_projection, number, target);
	RETURN number;
END $$;
-- +goose StatementEnd

-- finish_generation makes a loaded copy fit to be read: it adds the indexes that the template has beyond its
-- primary keys, gathers statistics, and lets the reader in. From here on row-level security holds: nobody but
-- the projector writes, and the reader sees the rows of one organization, the one that the transaction names.
-- The owner is held to that, too (FORCE), and so sees nothing. (It comes after the load because COPY refuses
-- tables with row-level security.)
-- +goose StatementBegin
CREATE FUNCTION finish_generation(for_projection text, number integer) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	template  text := for_projection || '_template';
	projector text := 'strata_' || for_projection || '_projector';
	reader    text := 'strata_' || for_projection || '_reader';
	target    text;
	item      record;
BEGIN
	SELECT schema_name INTO STRICT target FROM public.generations
	WHERE projection = for_projection AND generation = number AND state = 'building';
	FOR item IN
		SELECT replace(pg_get_indexdef(i.indexrelid), format(' ON %I.', template), format(' ON %I.', target)) AS definition
		FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = template AND NOT i.indisprimary ORDER BY i.indexrelid
	LOOP
		EXECUTE item.definition;
	END LOOP;
	FOR item IN
		SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = target AND c.relkind = 'r' ORDER BY c.relname
	LOOP
		EXECUTE format('ANALYZE %I.%I', target, item.relname);
		EXECUTE format('ALTER TABLE %I.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', target, item.relname);
		EXECUTE format('CREATE POLICY projector ON %I.%I TO %I USING (true) WITH CHECK (true)', target, item.relname, projector);
		EXECUTE format($policy$CREATE POLICY reader ON %I.%I FOR SELECT TO %I
			USING (organization_id = nullif(current_setting('strata.organization_id', true), '')::uuid)$policy$,
			target, item.relname, reader);
		EXECUTE format('GRANT SELECT ON %I.%I TO %I', target, item.relname, reader);
	END LOOP;
	EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', target, reader);
END $$;
-- +goose StatementEnd

-- drop_generation removes a copy that is not live, with everything in it.
-- +goose StatementBegin
CREATE FUNCTION drop_generation(for_projection text, number integer) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	target text;
BEGIN
	DELETE FROM public.generations WHERE projection = for_projection AND generation = number AND state <> 'live'
	RETURNING schema_name INTO target;
	IF target IS NULL THEN
		RAISE EXCEPTION 'generation % of projection % is live or not there', number, for_projection;
	END IF;
	EXECUTE format('DROP SCHEMA %I CASCADE', target);
END $$;
-- +goose StatementEnd

REVOKE ALL ON FUNCTION create_generation(text), finish_generation(text, integer), drop_generation(text, integer) FROM PUBLIC;
