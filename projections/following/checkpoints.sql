-- name: create
-- Start a projection at position 0 of a log, unless another log has a newer version of it.
INSERT INTO projection_checkpoints (log_id, projection, version, position, updated_at, lease_token)
SELECT $1, $2, $3, 0, clock_timestamp(), 0
 WHERE NOT EXISTS (SELECT FROM projection_checkpoints WHERE projection = $2 AND version > $3)
ON CONFLICT (log_id, projection) DO NOTHING;

-- name: read
-- The position of a checkpoint.
SELECT position FROM projection_checkpoints WHERE log_id = $1 AND projection = $2;

-- name: take_lease
-- Take a lease that is free or has expired, unless the holder's transaction has locked the row.
WITH free AS (
    SELECT log_id, projection FROM projection_checkpoints
     WHERE log_id = $1 AND projection = $2 AND coalesce(lease_until < clock_timestamp(), true)
       FOR UPDATE SKIP LOCKED
)
UPDATE projection_checkpoints c
   SET holder = $3, lease_token = c.lease_token + 1, lease_until = clock_timestamp() + $4
  FROM free
 WHERE c.log_id = free.log_id AND c.projection = free.projection
RETURNING c.lease_token, c.version;

-- name: has_expired
-- Whether the lease was not renewed in time.
SELECT coalesce(lease_until < clock_timestamp(), false) FROM projection_checkpoints WHERE log_id = $1 AND projection = $2;

-- name: end_paused
-- Terminate the sessions of followers that were paused during a COPY. The server would wait for their rows indefinitely,
-- with the checkpoint locked: no session timeout applies there.
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
 WHERE datname = current_database() AND usename = current_user AND application_name = $1
   AND state = 'active' AND wait_event = 'ClientRead' AND query_start < clock_timestamp() - $2::interval;

-- name: lock
-- Lock the checkpoint until the transaction ends, if the lease is still ours: each holder has another token.
SELECT position FROM projection_checkpoints
 WHERE log_id = $1 AND projection = $2 AND lease_token = $3
   FOR UPDATE;

-- name: advance
-- All events up to $4 are applied; renew the lease.
UPDATE projection_checkpoints
   SET position = $4, updated_at = clock_timestamp(), lease_until = clock_timestamp() + $5,
       stopped_at = NULL, stopped_topic = NULL, error = NULL
 WHERE log_id = $1 AND projection = $2 AND lease_token = $3;

-- name: stop
-- The event at $4 could not be applied; the projection stops before it.
UPDATE projection_checkpoints SET stopped_at = $4, stopped_topic = $5, error = $6, error_type = $7
 WHERE log_id = $1 AND projection = $2 AND lease_token = $3;

-- name: release
-- Release the lease.
UPDATE projection_checkpoints SET holder = NULL, lease_until = NULL
 WHERE log_id = $1 AND projection = $2 AND lease_token = $3;
