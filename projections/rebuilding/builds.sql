-- name: begin
-- A build begins, or goes on with somebody else.
INSERT INTO {live}.projection_builds (projection, version, state, started_at, updated_at, holder)
VALUES ($1, $2, 'filling', clock_timestamp(), clock_timestamp(), $3)
ON CONFLICT (projection) DO UPDATE SET updated_at = clock_timestamp(), holder = excluded.holder;

-- name: find
-- The build of a projection that was begun.
SELECT version, state, started_at, holder FROM {live}.projection_builds WHERE projection = $1;

-- name: state
-- What a build is at.
UPDATE {live}.projection_builds SET state = $2, updated_at = clock_timestamp() WHERE projection = $1;

-- name: positions
-- How far it has read each log.
SELECT log_id, position FROM {live}.projection_build_positions WHERE projection = $1;

-- name: advance
-- With the rows: all up to here is in the build.
INSERT INTO {live}.projection_build_positions (projection, log_id, position) VALUES ($1, $2, $3)
ON CONFLICT (projection, log_id) DO UPDATE SET position = excluded.position;

-- name: forget
-- The build is over.
WITH positions AS (
    DELETE FROM {live}.projection_build_positions WHERE projection = $1
)
DELETE FROM {live}.projection_builds WHERE projection = $1;

-- name: only_builder
-- Become the one who builds a projection of this database, until the connection ends.
SELECT pg_try_advisory_lock(1953459566, hashtext(current_database() || ' ' || $1));

-- name: hold_inline
-- Keep every append off, and the log from growing.
LOCK TABLE {live}.log_head IN EXCLUSIVE MODE;

-- name: hold_catch_up
-- Keep every follower off.
LOCK TABLE {live}.projection_checkpoints IN EXCLUSIVE MODE;

-- name: swapped_inline
-- Which version wrote the rows from now on.
INSERT INTO {live}.projection_versions (projection, version, built_at) VALUES ($1, $2, clock_timestamp())
ON CONFLICT (projection) DO UPDATE SET version = excluded.version, built_at = excluded.built_at;

-- name: swapped_catch_up
-- The same, and how far the rows are. Who follows with another version finds that the lease is no longer good.
INSERT INTO {live}.projection_checkpoints AS c (log_id, projection, version, position, updated_at, lease_token)
SELECT log_id, projection, $2, position, clock_timestamp(), 0
  FROM {live}.projection_build_positions WHERE projection = $1
ON CONFLICT (log_id, projection) DO UPDATE
   SET version = excluded.version, position = excluded.position, updated_at = excluded.updated_at,
       stopped_at = NULL, stopped_topic = NULL, error = NULL,
       lease_token = c.lease_token + CASE c.version WHEN excluded.version THEN 0 ELSE 1 END,
       lease_until = CASE c.version WHEN excluded.version THEN c.lease_until END,
       holder = CASE c.version WHEN excluded.version THEN c.holder END;

-- name: versions
-- Which versions wrote the rows there are: of inline projections, and of those that follow.
SELECT projection, version FROM {live}.projection_versions
UNION
SELECT projection, max(version) FROM {live}.projection_checkpoints GROUP BY projection
UNION
SELECT projection, min(version) FROM {live}.projection_checkpoints GROUP BY projection;
