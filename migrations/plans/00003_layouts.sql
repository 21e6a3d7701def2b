-- Layouts: each copy of a model says which release's tables it has. Locks: generations, for a moment.
--
-- A migration that changes a template does not touch the copies. It names a new layout, and so does the code that
-- comes with it: a service that finds the live copy of an older one builds a new copy beside it and switches. An
-- older release beside it then stops applying. Only a copy that holds nothing is replaced by the migration.
-- The plans and the audit database hold the same text of this file.

-- +goose Up
ALTER TABLE generations ADD COLUMN layout integer NOT NULL DEFAULT 1;
ALTER TABLE generations ALTER COLUMN layout DROP DEFAULT;
COMMENT ON COLUMN generations.layout IS 'the number of the tables and of what the fold makes of events, as the code that built it knows it';

DROP FUNCTION create_generation(text);

-- create_generation copies the template's tables, with their primary keys only: the rest comes after the load.
-- Until then nobody but the projector can look into them.
-- +goose StatementBegin
CREATE FUNCTION create_generation(for_projection text, of_layout integer) RETURNS integer
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
	INSERT INTO public.generations (projection, generation, schema_name, layout) VALUES (for_projection, number, target, of_layout);
	RETURN number;
END $$;
-- +goose StatementEnd

-- replace_empty puts a live copy of another layout in the place of one that has seen no event yet.
-- +goose StatementBegin
CREATE FUNCTION replace_empty(for_projection text, of_layout integer) RETURNS void
	LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
	target text;
	number integer;
BEGIN
	-- The row stays locked to the end: a projector that waits for it then finds the other one.
	SELECT schema_name INTO target FROM public.generations
	WHERE projection = for_projection AND state = 'live' AND position = 0 FOR UPDATE;
	IF target IS NULL THEN
		RETURN;
	END IF;
	DELETE FROM public.generations WHERE schema_name = target;
	EXECUTE format('DROP SCHEMA %I CASCADE', target);
	number := create_generation(for_projection, of_layout);
	PERFORM finish_generation(for_projection, number);
	UPDATE public.generations SET state = 'live' WHERE projection = for_projection AND generation = number;
END $$;
-- +goose StatementEnd

REVOKE ALL ON FUNCTION create_generation(text, integer), replace_empty(text, integer) FROM PUBLIC;
