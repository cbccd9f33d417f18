-- name: head_and_newest
-- The head of a log and the newest position in the table, at one moment.
SELECT h.position, h.recorded_at,
       coalesce((SELECT e.position FROM event_log e WHERE e.log_id = $1 ORDER BY e.position DESC LIMIT 1), 0) AS newest
  FROM log_head h
 WHERE h.log_id = $1;

-- name: page_to_check
-- A page of the log in position order, after $2 and up to $3, with the columns that LogChecker takes.
SELECT position, recorded_at, topic, schema_version, payload
  FROM event_log
 WHERE log_id = $1 AND position > $2 AND position <= $3
 ORDER BY position
 LIMIT $4;

-- name: page_of_streams
-- A page of the log ordered by stream and version, from event ($2, $3), the last of the previous page; only events up to
-- position $4. Returns the events that do not follow their predecessor, and the last event. `row` numbers the page.
WITH page AS (
    SELECT stream_id, stream_version, position
      FROM event_log
     WHERE log_id = $1 AND (stream_id, stream_version) >= ($2, $3) AND position <= $4
     ORDER BY stream_id, stream_version
     LIMIT $5
), linked AS (
    SELECT stream_id, stream_version, position,
           lag(stream_version) OVER of_stream AS version_before,
           lag(position) OVER of_stream AS position_before,
           row_number() OVER whole_page AS row,
           lead(position) OVER whole_page IS NULL AS last
      FROM page
    WINDOW of_stream AS (PARTITION BY stream_id ORDER BY stream_version),
           whole_page AS (ORDER BY stream_id, stream_version)
)
SELECT stream_id, stream_version, position, version_before, position_before, row
  FROM linked
 WHERE last OR stream_version <> coalesce(version_before, 0) + 1 OR position < position_before;

-- name: page_to_count
-- Events after $2 and up to $3 by topic and day. Streams are counted by their first events.
SELECT topic, (recorded_at AT TIME ZONE 'UTC')::date AS day,
       count(*) AS events,
       count(*) FILTER (WHERE stream_version = 1) AS streams,
       sum(octet_length(payload))::bigint AS payload_bytes,
       min(recorded_at) AS first, max(recorded_at) AS last
  FROM event_log
 WHERE log_id = $1 AND position > $2 AND position <= $3
 GROUP BY topic, day;

-- name: sizes
-- Bytes on disk of event_log, which all logs share.
SELECT pg_table_size('event_log') AS table_bytes, pg_indexes_size('event_log') AS index_bytes;

-- name: allow_slow_input
-- For this transaction: its input may come through a pipe that pauses.
SET LOCAL idle_in_transaction_session_timeout = '5min';

-- name: restore_head
-- Move the head of a log to its last restored event, and notify the followers.
WITH moved AS (
    UPDATE log_head SET position = $2, recorded_at = $3 WHERE log_id = $1
)
SELECT pg_notify('token_ledger', $1::text || ':' || $2::text);

-- name: page_of_events
-- A page of whole events in position order, after $2 and up to $3, for an export.
SELECT position, recorded_at, stream_id, stream_version, topic, schema_version, payload, actor, request_id, remote_address,
       salt
  FROM event_log
 WHERE log_id = $1 AND position > $2 AND position <= $3
 ORDER BY position
 LIMIT $4;
