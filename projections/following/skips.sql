-- name: record
-- Skip the event at $3 if the projection is still stopped there; the lock blocks its follower.
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
-- The position at which a projection is stopped.
SELECT stopped_at FROM projection_checkpoints WHERE log_id = $1 AND projection = $2;

-- name: read
-- The skips of a projection in a log, in position order.
SELECT position, topic, error, reason, actor, skipped_at
  FROM projection_skips WHERE log_id = $1 AND projection = $2
 ORDER BY position;

-- name: positions
-- The skipped positions after $3 and up to $4.
SELECT position FROM projection_skips WHERE log_id = $1 AND projection = $2 AND position > $3 AND position <= $4;
