-- name: revoke
-- Tokens that were revoked: how each ended. Answers what is needed to count it. They are found by digest alone; that is
-- what "+ 0" is for, because the primary key too begins with log_id.
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
-- What a batch adds to the counts of minutes, hours and days.
INSERT INTO token_activity AS a (log_id, unit, start, client_id, issued, revoked, ended)
SELECT $1, c.unit, c.start, c.client_id, c.issued, c.revoked, c.ended
  FROM unnest($2::integer[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[])
       AS c (unit, start, client_id, issued, revoked, ended)
ON CONFLICT (log_id, unit, start, client_id)
DO UPDATE SET issued = a.issued + excluded.issued, revoked = a.revoked + excluded.revoked,
              ended = a.ended + excluded.ended;

-- name: find_digest
-- Which token a digest is of, whatever became of it.
SELECT jti FROM token_history WHERE log_id + 0 = $1 AND digest = $2;

-- name: find_token
-- A token by its jti, whatever became of it.
SELECT * FROM token_history WHERE log_id + 0 = $1 AND jti = $2;

-- name: issued_until
-- Of the tokens issued up to position $3 the last that was recorded at or before $2, 0 when there is none. A search by
-- halves, because instants never go back; where the log itself has been archived it cannot be asked.
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
-- A page of tokens, newest first, of those issued before position $3 and not before $4, as of position $5 and instant
-- $6. One of the branches finds the candidates, $2 of them at most, by the index that $7 names; of these the rows that
-- match the rest are answered, and beside each how many were looked at and where the last of them was. OFFSET 0 keeps the
-- other conditions from choosing the index by which a candidate is read: that is the primary key.
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
SELECT s.looked_at, s.lowest, h.*
  FROM (SELECT count(*) AS looked_at, min(issued_position) AS lowest FROM candidate) s
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
