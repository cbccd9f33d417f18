-- name: record
-- Within a transaction: skip the event a projection is stopped at, if it still is. The lock keeps its follower off.
WITH stopped AS (
    SELECT stopped_topic, error FROM projection_checkpoints
     WHERE log_id = $1 AND projection = $2 AND stopped_at = $3
       FOR SHARE
)
INSERT INTO projection_skips (log_id, projection, position, topic, error, reason, actor, skipped_at)
SELECT $1, $2, $3, stopped_topic, error, $4, $5, clock_timestamp() FROM stopped
ON CONFLICT (log_id, projection, position) DO NOTHING
RETURNING position, topic, error, reason, actor, skipped_at;

-- name: stopped_at
-- What a projection is stopped at, if anything.
SELECT stopped_at FROM projection_checkpoints WHERE log_id = $1 AND projection = $2;

-- name: find
-- One skip.
SELECT position, topic, error, reason, actor, skipped_at
  FROM projection_skips WHERE log_id = $1 AND projection = $2 AND position = $3;

-- name: read
-- Every skip of a projection and log, in position order.
SELECT position, topic, error, reason, actor, skipped_at
  FROM projection_skips WHERE log_id = $1 AND projection = $2
 ORDER BY position;

-- name: positions
-- What is skipped after $3 and up to $4.
SELECT position FROM projection_skips WHERE log_id = $1 AND projection = $2 AND position > $3 AND position <= $4;
