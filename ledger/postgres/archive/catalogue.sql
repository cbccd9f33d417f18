-- name: archives
-- What of a log is in archives, in the order of positions.
SELECT first_position AS first, last_position AS last, last_recorded_at, file_name, file_sha256, events_sha256,
       running_sha256, closed_before, archived_at, removed_at
  FROM log_archives
 WHERE log_id = $1
 ORDER BY first_position;

-- name: archived_until
-- The last position that is in an archive, 0 when none is. Asked after a read it says whether what was read was whole: an
-- archive is written down, and committed, before the first of its events is removed.
SELECT coalesce(max(last_position), 0) FROM log_archives WHERE log_id = $1;

-- name: may_archive
-- Whether this role may do it.
SELECT has_table_privilege('log_archives', 'INSERT') AND has_table_privilege('event_log', 'DELETE');

-- name: lock_archiving
-- Become the one who archives a log, until the connection ends.
SELECT pg_try_advisory_lock(1953459567, $1);

-- name: unlock_archiving
-- Let somebody else archive it.
SELECT pg_advisory_unlock(1953459567, $1);

-- name: clock
-- What time it is.
SELECT clock_timestamp();

-- name: keep_followers_off
-- For a moment: no projection begins or moves.
LOCK TABLE projection_checkpoints IN SHARE MODE;

-- name: behind
-- Of these projections, and of any other that follows the log, those that have not read up to a position.
SELECT coalesce(n.name, c.projection) AS name, coalesce(c.position, 0) AS position
  FROM unnest($2::text[]) AS n (name)
  FULL JOIN (SELECT * FROM projection_checkpoints WHERE log_id = $1) c ON c.projection = n.name
 WHERE coalesce(c.position, 0) < $3
 ORDER BY 1;

-- name: record_archive
-- From here on a part of the log counts as archived.
INSERT INTO log_archives (log_id, first_position, last_position, last_recorded_at, file_name, file_sha256, events_sha256,
                          running_sha256, closed_before, archived_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, clock_timestamp());

-- name: page_of_grants
-- Grants that are still in the log, by their first events after $2 and up to $3.
SELECT position, stream_id FROM event_log
 WHERE log_id = $1 AND topic = 'token.issued' AND position > $2 AND position <= $3
 ORDER BY position
 LIMIT $4;

-- name: streams
-- These streams as a whole.
SELECT position, recorded_at, stream_id, stream_version, topic, schema_version, payload, actor, request_id, remote_address
  FROM event_log
 WHERE log_id = $1 AND stream_id = ANY ($2::uuid[])
 ORDER BY stream_id, stream_version;

-- name: skipped
-- Events up to a position that a projection passed over: what became of their tokens is in the log alone.
SELECT DISTINCT s.position FROM projection_skips s WHERE s.log_id = $1 AND s.position <= $2;

-- name: remove
-- Under the head lock: these streams, but for one that has gone on behind $3 after all.
WITH removed AS (
    DELETE FROM event_log e
     WHERE e.log_id = $1 AND e.stream_id = ANY ($2::uuid[])
       AND NOT EXISTS (SELECT FROM event_log l WHERE l.log_id = $1 AND l.stream_id = e.stream_id AND l.position > $3)
    RETURNING 1
)
SELECT count(*) FROM removed;

-- name: removed
-- All that can be removed is.
UPDATE log_archives SET removed_at = clock_timestamp() WHERE log_id = $1 AND first_position = $2;
