-- Run once, by the postgres image, when it creates its cluster. Roles and tables
-- are Strata's own business. Whoever waits for strata_audit waits for all three.
CREATE DATABASE strata_log;
CREATE DATABASE strata_plans;
CREATE DATABASE strata_audit;
