-- name: create
-- A projection begins at position 0 of a log, unless a newer version of it has begun in another.
INSERT INTO projection_checkpoints (log_id, projection, version, position, updated_at, lease_token)
SELECT $1, $2, $3, 0, clock_timestamp(), 0
 WHERE NOT EXISTS (SELECT FROM projection_checkpoints WHERE projection = $2 AND version > $3)
ON CONFLICT (log_id, projection) DO NOTHING;

-- name: read
-- How far a projection has read.
SELECT position FROM projection_checkpoints WHERE log_id = $1 AND projection = $2;

-- name: take_lease
-- Become the holder, where nobody is or the one there was let it run out. A row that its holder works on is passed over.
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

-- name: ran_out
-- Whether the holder there is did not renew its lease in time.
SELECT coalesce(lease_until < clock_timestamp(), false) FROM projection_checkpoints WHERE log_id = $1 AND projection = $2;

-- name: end_paused
-- End the followers whose process was paused in the middle of a COPY. The server would wait for their rows for ever, with
-- the checkpoint locked: no timeout of a session counts there.
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
 WHERE datname = current_database() AND usename = current_user AND application_name = $1
   AND state = 'active' AND wait_event = 'ClientRead' AND query_start < clock_timestamp() - $2::interval;

-- name: hold
-- Within a transaction: hold the row until its end, if the lease is still ours. Whoever took it over has another token.
SELECT position FROM projection_checkpoints
 WHERE log_id = $1 AND projection = $2 AND lease_token = $3
   FOR UPDATE;

-- name: advance
-- All up to here is applied, and the lease is ours for another while.
UPDATE projection_checkpoints
   SET position = $4, updated_at = clock_timestamp(), lease_until = clock_timestamp() + $5,
       stopped_at = NULL, stopped_topic = NULL, error = NULL
 WHERE log_id = $1 AND projection = $2 AND lease_token = $3;

-- name: stop
-- This event could not be applied, and nothing after it is until it can be.
UPDATE projection_checkpoints SET stopped_at = $4, stopped_topic = $5, error = $6
 WHERE log_id = $1 AND projection = $2 AND lease_token = $3;

-- name: release
-- Anybody may have the lease now.
UPDATE projection_checkpoints SET holder = NULL, lease_until = NULL
 WHERE log_id = $1 AND projection = $2 AND lease_token = $3;
