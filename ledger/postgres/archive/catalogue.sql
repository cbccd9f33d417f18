-- name: archives
-- The archived ranges of a log in position order.
SELECT first_position AS first, last_position AS last, last_recorded_at, file_name, file_sha256, events_sha256,
       running_sha256, closed_before, archived_at, removed_at
  FROM log_archives
 WHERE log_id = $1
 ORDER BY first_position;

-- name: archived_until
-- The last archived position, 0 when nothing is archived. Run after a read, it tells whether the read was complete: an
-- archive is recorded and committed before the first of its events is removed.
SELECT coalesce(max(last_position), 0) FROM log_archives WHERE log_id = $1;

-- name: may_archive
-- Whether this role has the privileges to archive.
SELECT has_table_privilege('log_archives', 'INSERT') AND has_table_privilege('event_log', 'DELETE');

-- name: lock_archiving
-- Take the lock of the process that archives a log. It is held until the connection ends.
SELECT pg_try_advisory_lock(1953459567, $1);

-- name: unlock_archiving
-- Release that lock.
SELECT pg_advisory_unlock(1953459567, $1);

-- name: clock
-- The server's clock.
SELECT clock_timestamp();

-- name: lock_checkpoints
-- Until the transaction ends, no projection starts to follow or moves its checkpoint.
LOCK TABLE projection_checkpoints IN SHARE MODE;

-- name: lagging_projections
-- Of the projections $2 and any other that follows the log, those that have not read up to a position.
SELECT coalesce(n.name, c.projection) AS name, coalesce(c.position, 0) AS position
  FROM unnest($2::text[]) AS n (name)
  FULL JOIN (SELECT * FROM projection_checkpoints WHERE log_id = $1) c ON c.projection = n.name
 WHERE coalesce(c.position, 0) < $3
 ORDER BY 1;

-- name: record_archive
-- Record a range as archived.
INSERT INTO log_archives (log_id, first_position, last_position, last_recorded_at, file_name, file_sha256, events_sha256,
                          running_sha256, closed_before, archived_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, clock_timestamp());

-- name: page_of_grants
-- Grants in the log whose first event is after $2 and up to $3.
SELECT position, stream_id FROM event_log
 WHERE log_id = $1 AND topic = 'token.issued' AND position > $2 AND position <= $3
 ORDER BY position
 LIMIT $4;

-- name: streams
-- All events of these streams.
SELECT position, recorded_at, stream_id, stream_version, topic, schema_version, payload, actor, request_id, remote_address
  FROM event_log
 WHERE log_id = $1 AND stream_id = ANY ($2::uuid[])
 ORDER BY stream_id, stream_version;

-- name: skipped_positions
-- Events up to a position that a projection skipped: only the log tells what happened to their tokens.
SELECT DISTINCT s.position FROM projection_skips s WHERE s.log_id = $1 AND s.position <= $2;

-- name: remove_streams
-- Under the head lock: remove these streams, except those with an event beyond $3.
WITH removed AS (
    DELETE FROM event_log e
     WHERE e.log_id = $1 AND e.stream_id = ANY ($2::uuid[])
       AND NOT EXISTS (SELECT FROM event_log l WHERE l.log_id = $1 AND l.stream_id = e.stream_id AND l.position > $3)
    RETURNING 1
)
SELECT count(*) FROM removed;

-- name: mark_removed
-- The removal of a range is complete.
UPDATE log_archives SET removed_at = clock_timestamp() WHERE log_id = $1 AND first_position = $2;
