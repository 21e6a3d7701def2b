-- When a copy was last found to be what the log says. Locks: generations, for a moment.

-- +goose Up
ALTER TABLE generations
	ADD COLUMN verified_at       timestamptz,
	ADD COLUMN verified_position bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN generations.verified_at IS 'when its rows were last compared with those made anew from the log, and none differed';
COMMENT ON COLUMN generations.verified_position IS 'the position at which they were compared';

GRANT UPDATE (verified_at, verified_position) ON generations TO strata_plans_projector;

-- drop_generation removes a copy that is not live, with all that is in it, or what somebody has left of it.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION drop_generation(for_projection text, number integer) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	target text;
BEGIN
	DELETE FROM public.generations WHERE projection = for_projection AND generation = number AND state <> 'live'
	RETURNING schema_name INTO target;
	IF target IS NULL THEN
		RAISE EXCEPTION 'generation % of projection % is live or not there', number, for_projection;
	END IF;
	EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', target);
END $$;
-- +goose StatementEnd
