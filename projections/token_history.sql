-- name: revoke
-- Record revocations, and return what the activity counts need. "+ 0" forces the index on the digest: the primary key
-- also begins with log_id.
UPDATE token_history h
   SET revoked_position = r.position, revoked_at = r.revoked_at, revoked_recorded_at = r.recorded_at,
       revoked_by = r.actor, revoked_request_id = r.request_id, revoked_from = r.remote_address,
       revocation_reason = r.reason
  FROM unnest($2::bytea[], $3::bigint[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::text[], $8::text[],
              $9::text[])
       AS r (digest, position, revoked_at, recorded_at, actor, request_id, remote_address, reason)
 WHERE h.log_id + 0 = $1 AND h.digest = r.digest
RETURNING h.digest, h.client_id, h.expires_at, h.issued_recorded_at, h.revoked_recorded_at;

-- name: count
-- Add the counts of a batch, by minute, hour and day.
INSERT INTO token_activity AS a (log_id, unit, start, client_id, issued, revoked, ended)
SELECT $1, c.unit, c.start, c.client_id, c.issued, c.revoked, c.ended
  FROM unnest($2::integer[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[])
       AS c (unit, start, client_id, issued, revoked, ended)
ON CONFLICT (log_id, unit, start, client_id)
DO UPDATE SET issued = a.issued + excluded.issued, revoked = a.revoked + excluded.revoked,
              ended = a.ended + excluded.ended;

-- name: find_digest
-- The jti of a digest.
SELECT jti FROM token_history WHERE log_id + 0 = $1 AND digest = $2;

-- name: find_token
-- A token by its jti.
SELECT * FROM token_history WHERE log_id + 0 = $1 AND jti = $2;

-- name: issued_until
-- The position of the last token issued up to position $3 and recorded by instant $2, 0 if there is none. A binary
-- search, because recorded_at never decreases; the archived part of the log cannot be queried.
WITH RECURSIVE search (low, high) AS (
    SELECT 0::bigint, $3::bigint
    UNION ALL
    SELECT CASE WHEN h.issued_recorded_at <= $2 THEN h.issued_position ELSE s.low END,
           CASE WHEN h.issued_recorded_at <= $2 THEN s.high ELSE m.middle - 1 END
      FROM search s
     CROSS JOIN LATERAL (SELECT (s.low + s.high + 1) / 2 AS middle) m
      LEFT JOIN LATERAL (SELECT issued_position, issued_recorded_at FROM token_history
                          WHERE log_id = $1 AND issued_position >= m.middle AND issued_position <= s.high
                          ORDER BY issued_position LIMIT 1) h ON true
     WHERE s.low < s.high
)
SELECT low FROM search WHERE low = high;

-- name: page
-- A page of tokens, newest first, issued at positions from $4 and before $3, as of position $5 and instant $6. The branch
-- that $7 names finds at most $2 candidates by its index. Rows that match the other filters are returned, each with the
-- number of candidates and the lowest position among them. OFFSET 0 makes the planner read candidates by primary key.
WITH RECURSIVE scopes (scope) AS (
    (SELECT scope FROM token_history WHERE log_id = $1 ORDER BY scope LIMIT 1)
    UNION ALL
    SELECT (SELECT h.scope FROM token_history h WHERE h.log_id = $1 AND h.scope > s.scope ORDER BY h.scope LIMIT 1)
      FROM scopes s WHERE s.scope IS NOT NULL
), found AS (
    (SELECT issued_position FROM token_history
      WHERE $7 = 'all' AND log_id = $1 AND issued_position < $3 AND issued_position >= $4
      ORDER BY issued_position DESC LIMIT $2)
    UNION ALL
    (SELECT issued_position FROM token_history
      WHERE $7 = 'client' AND log_id = $1 AND client_id = $8 AND issued_position < $3 AND issued_position >= $4
      ORDER BY issued_position DESC LIMIT $2)
    UNION ALL
    (SELECT issued_position FROM token_history
      WHERE $7 = 'subject' AND log_id = $1 AND client_id = $9 AND issued_position < $3 AND issued_position >= $4
      ORDER BY issued_position DESC LIMIT $2)
    UNION ALL
    (SELECT issued_position FROM token_history
      WHERE $7 = 'subject' AND log_id = $1 AND subject = $9 AND subject <> client_id
        AND issued_position < $3 AND issued_position >= $4
      ORDER BY issued_position DESC LIMIT $2)
    UNION ALL
    (SELECT h.issued_position
       FROM scopes s
      CROSS JOIN LATERAL (SELECT issued_position FROM token_history
                           WHERE log_id = $1 AND scope = s.scope AND issued_position < $3 AND issued_position >= $4
                           ORDER BY issued_position DESC LIMIT $2) h
      WHERE $7 = 'scope' AND $10 = ANY (string_to_array(s.scope, ' '))
      ORDER BY h.issued_position DESC LIMIT $2)
    UNION ALL
    (SELECT issued_position FROM token_history
      WHERE $7 = 'revoked' AND log_id = $1 AND issued_position < $3 AND issued_position >= $4
        AND revoked_position IS NOT NULL
      ORDER BY issued_position DESC LIMIT $2)
    UNION ALL
    (SELECT issued_position FROM token_history
      WHERE $7 = 'client_revoked' AND log_id = $1 AND client_id = $8 AND issued_position < $3
        AND issued_position >= $4 AND revoked_position IS NOT NULL
      ORDER BY issued_position DESC LIMIT $2)
), candidate AS MATERIALIZED (
    SELECT issued_position FROM found ORDER BY issued_position DESC LIMIT $2
)
SELECT s.candidates, s.lowest, h.*
  FROM (SELECT count(*) AS candidates, min(issued_position) AS lowest FROM candidate) s
  LEFT JOIN (
       SELECT t.*
         FROM candidate c
        CROSS JOIN LATERAL (SELECT * FROM token_history
                             WHERE log_id = $1 AND issued_position = c.issued_position OFFSET 0) t
        WHERE ($8::text IS NULL OR t.client_id = $8)
          AND ($9::text IS NULL OR t.subject = $9)
          AND ($10::text IS NULL OR $10 = ANY (string_to_array(t.scope, ' ')))
          AND CASE $11::text
              WHEN 'revoked' THEN t.revoked_position <= $5
              WHEN 'active' THEN coalesce(t.revoked_position > $5, true) AND t.expires_at > $6
              WHEN 'expired' THEN coalesce(t.revoked_position > $5, true) AND t.expires_at <= $6
              ELSE true END
       ) h ON true
 ORDER BY h.issued_position DESC;
