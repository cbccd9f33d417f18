-- name: page
-- The events after $2 and up to $3 of some topics, in the order of the fields of LogRow.
SELECT position, recorded_at, stream_version, topic, schema_version, payload, actor, request_id, remote_address
  FROM {live}.event_log
 WHERE log_id = $1 AND position > $2 AND position <= $3 AND topic = ANY ($4)
 ORDER BY position;

-- name: archives
-- What of a log is in archives, in the order of positions.
SELECT first_position AS first, last_position AS last, last_recorded_at, file_name, file_sha256, events_sha256,
       running_sha256, closed_before, archived_at, removed_at
  FROM {live}.log_archives WHERE log_id = $1 ORDER BY first_position;

-- name: heads
-- Where every log ends that has something in it.
SELECT log_id, position FROM {live}.log_head WHERE position > 0 ORDER BY log_id;

-- name: all_positions
-- How many events there are.
SELECT coalesce(sum(position), 0)::bigint FROM {live}.log_head;

-- name: now
-- What time it is at the database, in seconds since 1970.
SELECT floor(extract(epoch FROM clock_timestamp()))::bigint;

-- name: checkpoints
-- How far a projection that follows has read each log.
SELECT log_id, position FROM {live}.projection_checkpoints WHERE projection = $1 AND position > 0 ORDER BY log_id;

-- name: versions
-- Which versions of a projection the live rows are of.
SELECT version FROM {live}.projection_versions WHERE projection = $1
UNION
SELECT version FROM {live}.projection_checkpoints WHERE projection = $1;

-- name: streams_at
-- The streams of the events of some topics at these positions.
SELECT DISTINCT stream_id FROM {live}.event_log WHERE log_id = $1 AND position = ANY ($2) AND topic = ANY ($3);

-- name: of_streams
-- The events of some topics in these streams, up to a position, in the order of the fields of LogRow.
SELECT position, recorded_at, stream_version, topic, schema_version, payload, actor, request_id, remote_address
  FROM {live}.event_log
 WHERE log_id = $1 AND stream_id = ANY ($2) AND position <= $3 AND topic = ANY ($4)
 ORDER BY position;
