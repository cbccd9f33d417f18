-- name: page
-- The events after $2 and up to $3 of some topics, in the order of the fields of LogRow.
SELECT position, recorded_at, stream_version, topic, schema_version, payload, actor, request_id, remote_address
  FROM event_log
 WHERE log_id = $1 AND position > $2 AND position <= $3 AND topic = ANY ($4)
 ORDER BY position;

-- name: heads
-- The head of every log that has events.
SELECT log_id, position FROM log_head WHERE position > 0 ORDER BY log_id;

-- name: all_positions
-- How many events there are.
SELECT coalesce(sum(position), 0)::bigint FROM log_head;

-- name: now
-- The database's clock, in seconds since 1970.
SELECT floor(extract(epoch FROM clock_timestamp()))::bigint;

-- name: checkpoints
-- The checkpoint of a catch-up projection in each log.
SELECT log_id, position FROM projection_checkpoints WHERE projection = $1 AND position > 0 ORDER BY log_id;

-- name: streams_at
-- The streams of the events of some topics at these positions.
SELECT DISTINCT stream_id FROM event_log WHERE log_id = $1 AND position = ANY ($2) AND topic = ANY ($3);

-- name: of_streams
-- The events of some topics in these streams, up to a position, in the order of the fields of LogRow.
SELECT position, recorded_at, stream_version, topic, schema_version, payload, actor, request_id, remote_address
  FROM event_log
 WHERE log_id = $1 AND stream_id = ANY ($2) AND position <= $3 AND topic = ANY ($4)
 ORDER BY position;
