-- Which history of the log a copy has followed. Locks: generations, for a moment.

-- +goose Up
ALTER TABLE generations ADD COLUMN epoch integer NOT NULL DEFAULT 1 CONSTRAINT generations_epoch_from_one CHECK (epoch >= 1);
COMMENT ON COLUMN generations.epoch IS 'the epoch of the log in which position counts';

GRANT UPDATE (epoch) ON generations TO strata_plans_projector;
