-- name: append_events
-- Append a batch of writes: see migrations/functions/append_events.sql.
SELECT before, recorded_at, conflict_write, conflict_stream, conflict_version
  FROM append_events($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17);

-- name: find_recorded_events
-- After an unknown outcome: the events at these versions of these streams.
SELECT stream_id, stream_version, position, recorded_at, salt FROM find_recorded_events($1, $2, $3);

-- name: confirm_durability
-- Commit a record that changes nothing, and wait for the standby as every commit does.
SELECT pg_logical_emit_message(true, 'token_ledger', 'durability');

-- name: create_log
-- The log of an issuer, created if there is none.
SELECT create_log($1);

-- name: wait_for_append
-- Wait for an append in progress, if there is one. Later appends are recorded later than now.
SELECT wait_for_append($1);

-- name: lock_head
-- Take the write lock of a log: only the session that holds its head row can append.
SELECT position, recorded_at FROM log_head WHERE log_id = $1 FOR UPDATE;

-- name: end_session
-- End the session of a broken connection, so that a statement still on its way to it is never executed. No row if the
-- session is over already; false if it does not end within two seconds.
SELECT pg_terminate_backend(pid, 2000) AS ended
  FROM pg_stat_activity
 WHERE pid = $1 AND pid <> pg_backend_pid() AND datname = current_database() AND usename = current_user;

-- name: read_streams
-- Whole streams, in no order.
SELECT position, recorded_at, stream_id, stream_version, topic, schema_version, payload, actor, request_id, remote_address
  FROM event_log
 WHERE log_id = $1 AND stream_id = ANY ($2::uuid[]);

-- name: read_log
-- A page of the log in position order, after $2 and up to $3.
SELECT position, recorded_at, stream_id, stream_version, topic, schema_version, payload, actor, request_id, remote_address
  FROM event_log
 WHERE log_id = $1 AND position > $2 AND position <= $3
 ORDER BY position
 LIMIT $4;

-- name: read_log_topics
-- The same, of some topics only.
SELECT position, recorded_at, stream_id, stream_version, topic, schema_version, payload, actor, request_id, remote_address
  FROM event_log
 WHERE log_id = $1 AND position > $2 AND position <= $3 AND topic = ANY ($5::text[])
 ORDER BY position
 LIMIT $4;

-- name: head
-- Where the log ends. It does not see an append in progress.
SELECT position, recorded_at FROM log_head WHERE log_id = $1;

-- name: find_log
-- The log of an issuer.
SELECT log_id FROM logs WHERE name = $1;

-- name: position_at
-- The newest position recorded at or before $2, 0 when there is none. A binary search, because instants never go back.
-- It begins after the archived positions; null when the instant is among them.
WITH RECURSIVE archived AS (
    SELECT last_position, last_recorded_at FROM log_archives WHERE log_id = $1 ORDER BY last_position DESC LIMIT 1
), search (low, high) AS (
    SELECT coalesce(a.last_position, 0), h.position
      FROM log_head h
      LEFT JOIN archived a ON true
     WHERE h.log_id = $1 AND coalesce(a.last_recorded_at <= $2, true)
    UNION ALL
    SELECT CASE WHEN e.recorded_at <= $2 THEN e.position ELSE s.low END,
           CASE WHEN e.recorded_at <= $2 THEN s.high ELSE e.position - 1 END
      FROM search s
      JOIN event_log e ON e.log_id = $1 AND e.position = (s.low + s.high + 1) / 2
     WHERE s.low < s.high
)
SELECT low FROM search WHERE low = high;

-- name: clock_and_head
-- The time now, and when the newest event was recorded.
SELECT clock_timestamp() AS now, position, recorded_at FROM log_head WHERE log_id = $1;

-- name: recorded_at
-- When a position was recorded. Of archived positions only the last of each archive, and those still in the log, are known.
SELECT recorded_at FROM event_log WHERE log_id = $1 AND position = $2
UNION ALL
SELECT last_recorded_at FROM log_archives WHERE log_id = $1 AND last_position = $2
 LIMIT 1;

-- name: inline_is_current
-- Under the head lock: whether the rows of these inline projections are of these versions.
SELECT NOT EXISTS (SELECT
                     FROM unnest($1::text[], $2::integer[]) AS i (projection, version)
                     LEFT JOIN projection_versions v ON v.projection = i.projection
                    WHERE v.version IS DISTINCT FROM i.version);
