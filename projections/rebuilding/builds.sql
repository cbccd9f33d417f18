-- name: begin
-- A build begins, or is resumed by another process.
INSERT INTO {live}.projection_builds (projection, version, state, started_at, updated_at, holder)
VALUES ($1, $2, 'filling', clock_timestamp(), clock_timestamp(), $3)
ON CONFLICT (projection) DO UPDATE SET updated_at = clock_timestamp(), holder = excluded.holder;

-- name: find
-- The build of a projection that was started.
SELECT version, state, started_at, holder FROM {live}.projection_builds WHERE projection = $1;

-- name: state
-- The phase of a build.
UPDATE {live}.projection_builds SET state = $2, updated_at = clock_timestamp() WHERE projection = $1;

-- name: positions
-- The position of a build in each log.
SELECT log_id, position FROM {live}.projection_build_positions WHERE projection = $1;

-- name: advance
-- All events up to $3 are in the build; runs in the transaction of the rows.
INSERT INTO {live}.projection_build_positions (projection, log_id, position) VALUES ($1, $2, $3)
ON CONFLICT (projection, log_id) DO UPDATE SET position = excluded.position;

-- name: forget
-- The build has ended.
WITH positions AS (
    DELETE FROM {live}.projection_build_positions WHERE projection = $1
)
DELETE FROM {live}.projection_builds WHERE projection = $1;

-- name: only_builder
-- Take the right to build a projection of this database, until the connection ends.
SELECT pg_try_advisory_lock(1953459566, hashtext(current_database() || ' ' || $1));

-- name: lock_inline
-- Block every append.
LOCK TABLE {live}.log_head IN EXCLUSIVE MODE;

-- name: lock_catch_up
-- Block every follower.
LOCK TABLE {live}.projection_checkpoints IN EXCLUSIVE MODE;

-- name: swapped_inline
-- The version of the rows after a swap.
INSERT INTO {live}.projection_versions (projection, version, built_at) VALUES ($1, $2, clock_timestamp())
ON CONFLICT (projection) DO UPDATE SET version = excluded.version, built_at = excluded.built_at;

-- name: swapped_catch_up
-- The version and the checkpoints of the rows after a swap. A follower of another version loses its lease.
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
-- The versions of the live rows, of inline and of catch-up projections.
SELECT projection, version FROM {live}.projection_versions
UNION
SELECT projection, max(version) FROM {live}.projection_checkpoints GROUP BY projection
UNION
SELECT projection, min(version) FROM {live}.projection_checkpoints GROUP BY projection;
