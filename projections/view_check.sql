-- name: lock
-- Wait for a rebuild that swaps a table: a snapshot from before the swap would see the new table without its rows.
LOCK TABLE active_tokens, clients, token_history IN ACCESS SHARE MODE;

-- name: take
-- Take the next page: see migrations/functions/take_view_check.sql.
SELECT rest, view, after FROM take_view_check($1);

-- name: record
-- Record its result: see migrations/functions/record_view_check.sql.
SELECT record_view_check($1, $2, $3, $4, $5, $6);

-- name: bounds
-- What bounds a comparison: the head, the checkpoint of token_history, what is archived, the time, and about how many rows
-- there are to compare.
SELECT h.position AS head, coalesce(c.position, 0) AS checkpoint,
       coalesce((SELECT max(a.last_position) FROM log_archives a WHERE a.log_id = $1), 0) AS archived_until,
       coalesce((SELECT extract(epoch FROM max(a.closed_before)) FROM log_archives a WHERE a.log_id = $1), 0)::float8
           AS closed_before,
       extract(epoch FROM clock_timestamp())::float8 AS now,
       h.position + (SELECT sum(greatest(t.reltuples, 0)) FROM pg_class t
                      WHERE t.oid IN (to_regclass('active_tokens'), to_regclass('clients')))::bigint AS total
  FROM log_head h
  LEFT JOIN projection_checkpoints c ON c.log_id = $1 AND c.projection = 'token_history'
 WHERE h.log_id = $1;

-- name: versions
-- The versions of the rows of each projection.
SELECT projection, version FROM projection_versions
UNION ALL
SELECT projection, version FROM projection_checkpoints WHERE log_id = $1;

-- name: active_tokens_page
-- The next active tokens.
SELECT log_id, digest, jti, client_id, subject, scope, audience, issued_at, expires_at
  FROM active_tokens WHERE log_id = $1 AND digest > $2 ORDER BY digest LIMIT $3;

-- name: active_tokens
-- Which of these digests have a row.
SELECT digest FROM active_tokens WHERE log_id = $1 AND digest = ANY ($2::bytea[]);

-- name: clients_page
-- The next clients.
SELECT client_id, stream_version, document::text FROM clients WHERE log_id = $1 AND client_id > $2 ORDER BY client_id LIMIT $3;

-- name: clients
-- Which of these clients have a row.
SELECT client_id FROM clients WHERE log_id = $1 AND client_id = ANY ($2::text[]);

-- name: token_history
-- The tokens issued at positions after $2 and up to $3.
SELECT log_id, issued_position, jti, grant_id, digest, client_id, subject, scope, audience, grant_type, token_format,
       issued_at, expires_at, issued_recorded_at, issued_by, issued_request_id, issued_from,
       revoked_position, revoked_at, revoked_recorded_at, revoked_by, revoked_request_id, revoked_from, revocation_reason
  FROM token_history WHERE log_id = $1 AND issued_position > $2 AND issued_position <= $3 ORDER BY issued_position;

-- name: streams_page
-- The streams that start at positions after $2 and up to $3.
SELECT stream_id FROM event_log WHERE log_id = $1 AND position > $2 AND position <= $3 AND stream_version = 1;

-- name: streams
-- All events of these streams of these topics, in order.
SELECT position, recorded_at, stream_id, stream_version, topic, schema_version, payload, actor, request_id, remote_address
  FROM event_log
 WHERE log_id = $1 AND stream_id = ANY ($2::uuid[]) AND topic = ANY ($3::text[])
 ORDER BY stream_id, stream_version;

-- name: results
-- What the comparison of these logs has found. While a round runs, the worse of it and of the last complete one counts.
SELECT l.name AS log, c.rows_compared AS rows, greatest(c.differences, c.last_differences) AS differences,
       CASE WHEN c.differences > c.last_differences THEN c.findings ELSE c.last_findings END AS first_differences,
       extract(epoch FROM clock_timestamp() - c.verified_at)::float8 AS age_seconds
  FROM view_checks c
  JOIN logs l USING (log_id)
 WHERE l.name = ANY ($1::text[])
 ORDER BY l.name;

-- name: unequal_heads
-- Logs whose head is not the position of their newest event, which may be archived.
SELECT l.name, coalesce(h.position, 0) AS head, n.position AS newest
  FROM logs l
  LEFT JOIN log_head h USING (log_id)
 CROSS JOIN LATERAL (
       SELECT coalesce(greatest((SELECT e.position FROM event_log e WHERE e.log_id = l.log_id
                                  ORDER BY e.position DESC LIMIT 1),
                                (SELECT max(a.last_position) FROM log_archives a WHERE a.log_id = l.log_id)), 0)
           AS position) n
 WHERE l.name = ANY ($1::text[]) AND coalesce(h.position, 0) <> n.position;
