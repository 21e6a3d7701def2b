-- What was known: copies of one organization's plans as they were at a moment of the past, made of its events when
-- somebody asks and dropped when nobody does. Locks: nothing that exists; every object is new.
--
-- A copy is made, filled and let in to readers in one transaction: whoever dies over it leaves nothing behind. The
-- copies are numbered beside the generations, and are none: neither a rebuild nor a verification knows of them.

-- +goose Up
CREATE TABLE recalled (
	organization_id uuid        NOT NULL,
	last_event      uuid        NOT NULL,
	layout          integer     NOT NULL,
	position        bigint      NOT NULL,
	events          bigint      NOT NULL,
	schema_name     text COLLATE "C" NOT NULL,
	made_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
	used_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
	CONSTRAINT recalled_pkey PRIMARY KEY (organization_id, last_event, layout),
	CONSTRAINT recalled_schema_key UNIQUE (schema_name)
);
COMMENT ON TABLE recalled IS 'copies of an organization''s plans as of the past, by the last of its events that they contain; may be emptied with drop_recalled at any time';
COMMENT ON COLUMN recalled.used_at IS 'when somebody last asked for it, to the minute';
CREATE SEQUENCE recalled_number;

-- create_recalled copies the template's tables, with their primary keys only, and tells in which schema.
-- +goose StatementBegin
CREATE FUNCTION create_recalled() RETURNS text
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	target text := 'plans_r' || nextval('public.recalled_number');
	item   record;
BEGIN
	EXECUTE format('CREATE SCHEMA %I', target);
	EXECUTE format('GRANT USAGE ON SCHEMA %I TO strata_plans_projector', target);
	FOR item IN
		SELECT c.relname, pg_get_constraintdef(p.oid) AS key
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		JOIN pg_constraint p ON p.conrelid = c.oid AND p.contype = 'p'
		WHERE n.nspname = 'plans_template' AND c.relkind = 'r' ORDER BY c.relname
	LOOP
		EXECUTE format('CREATE TABLE %I.%I (LIKE plans_template.%I INCLUDING ALL EXCLUDING INDEXES, %s)',
			target, item.relname, item.relname, item.key);
		EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I.%I TO strata_plans_projector', target, item.relname);
	END LOOP;
	RETURN target;
END $$;
-- +goose StatementEnd

-- finish_recalled makes a filled copy fit to be read, as finish_generation does, and enters it. Nobody writes to it
-- any more. Row-level security holds in it as everywhere.
-- +goose StatementBegin
CREATE FUNCTION finish_recalled(target text, of_organization uuid, of_last_event uuid, of_layout integer, of_position bigint, of_events bigint)
	RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	item record;
BEGIN
	IF target !~ '^plans_r[0-9]+$' OR EXISTS (SELECT FROM public.recalled WHERE schema_name = target) THEN
		RAISE EXCEPTION '% is not being recalled', target;
	END IF;
	FOR item IN
		SELECT replace(pg_get_indexdef(i.indexrelid), ' ON plans_template.', format(' ON %I.', target)) AS definition
		FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = 'plans_template' AND NOT i.indisprimary ORDER BY i.indexrelid
	LOOP
		EXECUTE item.definition;
	END LOOP;
	FOR item IN
		SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = target AND c.relkind = 'r' ORDER BY c.relname
	LOOP
		IF of_events > 2000 THEN -- in a small one every plan is as good
			EXECUTE format('ANALYZE %I.%I', target, item.relname);
		END IF;
		EXECUTE format('ALTER TABLE %I.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', target, item.relname);
		EXECUTE format($policy$CREATE POLICY reader ON %I.%I FOR SELECT TO strata_plans_reader
			USING (organization_id = nullif(current_setting('strata.organization_id', true), '')::uuid)$policy$,
			target, item.relname);
		EXECUTE format('REVOKE ALL ON %I.%I FROM strata_plans_projector', target, item.relname);
		EXECUTE format('GRANT SELECT ON %I.%I TO strata_plans_reader', target, item.relname);
	END LOOP;
	EXECUTE format('GRANT USAGE ON SCHEMA %I TO strata_plans_reader', target);
	INSERT INTO public.recalled (organization_id, last_event, layout, position, events, schema_name)
	VALUES (of_organization, of_last_event, of_layout, of_position, of_events, target);
END $$;
-- +goose StatementEnd

-- drop_recalled removes a copy.
-- +goose StatementBegin
CREATE FUNCTION drop_recalled(target text) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	DELETE FROM public.recalled WHERE schema_name = target;
	IF FOUND THEN
		EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', target);
	END IF;
END $$;
-- +goose StatementEnd

REVOKE ALL ON FUNCTION create_recalled(), finish_recalled(text, uuid, uuid, integer, bigint, bigint), drop_recalled(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION create_recalled(), finish_recalled(text, uuid, uuid, integer, bigint, bigint), drop_recalled(text) TO strata_plans_projector;

GRANT SELECT ON recalled TO strata_plans_projector, strata_plans_reader;
GRANT UPDATE (used_at) ON recalled TO strata_plans_projector;
ALTER TABLE recalled ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON recalled TO strata_owner USING (true) WITH CHECK (true);
CREATE POLICY projector ON recalled TO strata_plans_projector USING (true) WITH CHECK (true);
CREATE POLICY reader ON recalled FOR SELECT TO strata_plans_reader
	USING (organization_id = nullif(current_setting('strata.organization_id', true), '')::uuid);

-- What one entity came to at some of its events, so that asking for its past does not begin with its first event.
-- Nothing rests on it: it is compared with what it was made of, and may be emptied at any time.
CREATE TABLE snapshots (
	organization_id uuid        NOT NULL,
	stream_id       text COLLATE "C" NOT NULL,
	layout          integer     NOT NULL,
	position        bigint      NOT NULL,
	last_event      uuid        NOT NULL,
	events          bigint      NOT NULL,
	digest          bytea       NOT NULL,
	content         bytea       NOT NULL,
	taken_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
	CONSTRAINT snapshots_pkey PRIMARY KEY (organization_id, stream_id, layout, position)
);
COMMENT ON TABLE snapshots IS 'rows of the plans model of one entity at one of its events; may be emptied at any time';
COMMENT ON COLUMN snapshots.digest IS 'SHA-256 over layout, position, last event and content';
ALTER TABLE snapshots ALTER COLUMN content SET STORAGE EXTERNAL; -- read at once, not unpacked twice

GRANT SELECT, INSERT, DELETE ON snapshots TO strata_plans_projector;
GRANT SELECT ON snapshots TO strata_plans_reader;
ALTER TABLE snapshots ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY projector ON snapshots TO strata_plans_projector USING (true) WITH CHECK (true);
CREATE POLICY reader ON snapshots FOR SELECT TO strata_plans_reader
	USING (organization_id = nullif(current_setting('strata.organization_id', true), '')::uuid);
