-- name: lock_head
-- Take the write lock of a log: whoever holds its head row is the only one to append.
SELECT position, recorded_at FROM log_head WHERE log_id = $1 FOR UPDATE;

-- name: begin_and_lock_head
-- Begin a transaction with the head lock, in one round trip. Several statements at once take no arguments, so the
-- number of the log is put into the text.
BEGIN; SELECT FROM log_head WHERE log_id = %d FOR UPDATE;

-- name: stand_of_log
-- Under the head lock: the head, what time it is, where these streams are, 0 for one that does not exist; and whether
-- the rows of these inline projections are of these versions, which nobody changes while the lock is held.
SELECT h.position, h.recorded_at, clock_timestamp() AS now, s.stream_id,
       NOT EXISTS (SELECT
                     FROM unnest($3::text[], $4::integer[]) AS i (projection, version)
                     LEFT JOIN projection_versions v ON v.projection = i.projection
                    WHERE v.version IS DISTINCT FROM i.version) AS inline_is_current,
       coalesce((SELECT e.stream_version
                   FROM event_log e
                  WHERE e.log_id = $1 AND e.stream_id = s.stream_id
                  ORDER BY e.stream_version DESC
                  LIMIT 1), 0) AS version
  FROM log_head h, unnest($2::uuid[]) AS s (stream_id)
 WHERE h.log_id = $1;

-- name: append
-- Number and insert a batch, move the head, and wake the followers. One row of the answer, nothing to read in it.
WITH moved AS (
    UPDATE log_head SET position = $2 + cardinality($4::uuid[]), recorded_at = $3 WHERE log_id = $1
), appended AS (
    INSERT INTO event_log (log_id, position, recorded_at, stream_id, stream_version, topic, schema_version,
                           payload, actor, request_id, remote_address)
    SELECT $1, $2 + e.n, $3, e.stream_id, e.stream_version, e.topic, e.schema_version,
           e.payload, e.actor, e.request_id, e.remote_address
      FROM unnest($4::uuid[], $5::integer[], $6::text[], $7::smallint[], $8::bytea[], $9::text[], $10::text[], $11::text[])
           WITH ORDINALITY AS e (stream_id, stream_version, topic, schema_version, payload, actor, request_id,
                                 remote_address, n)
)
SELECT pg_notify('token_ledger', $1::text || ':' || ($2 + cardinality($4::uuid[]))::text);

-- name: append_at_once
-- Number and insert a batch, move the head, and wake the followers, if these streams are at these versions and the rows
-- of these inline projections of these: one row if so, none otherwise, or if somebody else holds the head. It does not
-- wait, because its tables are locked by now, and whoever exchanges a table under the head lock would wait for those.
-- Projections add parts before its end.
WITH held AS MATERIALIZED (
    SELECT h.position
      FROM log_head h
     WHERE h.log_id = $1
       -- Where this statement sees it. Of what was appended since, it would see the head and not the streams.
       AND h.position = (SELECT seen.position FROM log_head seen WHERE seen.log_id = $1)
       AND NOT EXISTS (SELECT
                         FROM unnest($10::text[], $11::integer[]) AS i (projection, version)
                         LEFT JOIN projection_versions v ON v.projection = i.projection
                        WHERE v.version IS DISTINCT FROM i.version)
       AND NOT EXISTS (SELECT
                         FROM unnest($12::uuid[], $13::integer[]) AS s (stream_id, version)
                        WHERE s.version <> coalesce((SELECT e.stream_version
                                                       FROM event_log e
                                                      WHERE e.log_id = $1 AND e.stream_id = s.stream_id
                                                      ORDER BY e.stream_version DESC
                                                      LIMIT 1), 0))
       FOR UPDATE OF h SKIP LOCKED
), moved AS (
    UPDATE log_head h
       SET position = held.position + cardinality($2::uuid[]), recorded_at = greatest(h.recorded_at, clock_timestamp())
      FROM held
     WHERE h.log_id = $1
    RETURNING held.position AS before, h.position, h.recorded_at
), appended AS (
    INSERT INTO event_log (log_id, position, recorded_at, stream_id, stream_version, topic, schema_version,
                           payload, actor, request_id, remote_address)
    SELECT $1, moved.before + e.n, moved.recorded_at, e.stream_id, e.stream_version, e.topic, e.schema_version,
           e.payload, e.actor, e.request_id, e.remote_address
      FROM moved,
           unnest($2::uuid[], $3::integer[], $4::text[], $5::smallint[], $6::bytea[], $7::text[], $8::text[], $9::text[])
           WITH ORDINALITY AS e (stream_id, stream_version, topic, schema_version, payload, actor, request_id,
                                 remote_address, n)
)

-- name: append_at_once_end
-- Its end: after which position and when it was recorded, and waking the followers.
SELECT before, recorded_at, pg_notify('token_ledger', $1::text || ':' || position::text) FROM moved;

-- name: end_session
-- End the session of a connection that broke, if it goes on: what is still on its way there is then never done. No row
-- if it is over; false if it does not end within two seconds.
SELECT pg_terminate_backend(pid, 2000) AS ended
  FROM pg_stat_activity
 WHERE pid = $1 AND pid <> pg_backend_pid() AND datname = current_database() AND usename = current_user;

-- name: find_recorded
-- After an unknown outcome: what is recorded at these places of these streams.
SELECT e.stream_id, e.stream_version, e.position, e.recorded_at, e.payload, e.request_id
  FROM event_log e
  JOIN unnest($2::uuid[], $3::integer[]) AS w (stream_id, stream_version)
    ON e.stream_id = w.stream_id AND e.stream_version = w.stream_version
 WHERE e.log_id = $1;

-- name: read_stream
-- A stream in version order, after $3 and up to $4.
SELECT position, recorded_at, stream_id, stream_version, topic, schema_version, payload, actor, request_id, remote_address
  FROM event_log
 WHERE log_id = $1 AND stream_id = $2 AND stream_version > $3 AND stream_version <= $4
 ORDER BY stream_version
 LIMIT $5;

-- name: read_streams
-- Whole streams, in no order.
SELECT position, recorded_at, stream_id, stream_version, topic, schema_version, payload, actor, request_id, remote_address
  FROM event_log
 WHERE log_id = $1 AND stream_id = ANY ($2::uuid[]);

-- name: read_stream_backwards
-- The same from its end.
SELECT position, recorded_at, stream_id, stream_version, topic, schema_version, payload, actor, request_id, remote_address
  FROM event_log
 WHERE log_id = $1 AND stream_id = $2 AND stream_version > $3 AND stream_version <= $4
 ORDER BY stream_version DESC
 LIMIT $5;

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
-- Where the log ends. Committed rows only: a batch under way is not seen.
SELECT position, recorded_at FROM log_head WHERE log_id = $1;

-- name: find_log
-- The log of an issuer.
SELECT log_id FROM logs WHERE name = $1;

-- name: create_log
-- Give a new issuer the next log, with its head. Two that race for a number: one of them fails on the unique log_id.
WITH created AS (
    INSERT INTO logs (name, log_id, created_at)
    SELECT $1, coalesce(max(log_id), 0) + 1, clock_timestamp() FROM logs
    ON CONFLICT (name) DO NOTHING
    RETURNING log_id
)
INSERT INTO log_head (log_id, position, recorded_at) SELECT log_id, 0, clock_timestamp() FROM created;

-- name: position_at
-- The newest position recorded at or before $2, 0 when there is none. A binary search, because instants never go back.
-- It begins behind what is archived; null when the instant lies there.
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
-- What time it is, and when the newest event was recorded.
SELECT clock_timestamp() AS now, position, recorded_at FROM log_head WHERE log_id = $1;

-- name: settle
-- Wait for the batch under way, if there is one: what comes after it is recorded later than now.
SELECT FROM log_head WHERE log_id = $1 FOR SHARE;

-- name: recorded_at
-- When a position was recorded. Of those archived the last of each archive is known, and those that are in the log too.
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
