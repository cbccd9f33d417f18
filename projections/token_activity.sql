-- name: buckets
-- What happened in each bucket of $2 seconds from $3 up to $4, of one client where $5 names it.
SELECT start, sum(issued)::bigint AS issued, sum(revoked)::bigint AS revoked, sum(ended)::bigint AS ended
  FROM token_activity
 WHERE log_id = $1 AND unit = $2 AND start >= $3 AND start < $4 AND ($5::text IS NULL OR client_id = $5)
 GROUP BY start
 ORDER BY start;

-- name: active_at
-- Tokens active at $2, a whole minute: issued before it less ended before it, by whole days, the hours after those, the
-- minutes after those. Of one client where $3 names it.
SELECT coalesce(sum(issued - ended), 0)::bigint AS active
  FROM token_activity
 WHERE log_id = $1
   AND (   (unit = 86400 AND start < $2 - $2 % 86400)
        OR (unit = 3600 AND start >= $2 - $2 % 86400 AND start < $2 - $2 % 3600)
        OR (unit = 60 AND start >= $2 - $2 % 3600 AND start < $2))
   AND ($3::text IS NULL OR client_id = $3);

-- name: clients
-- What happened to each client's tokens from $3 up to $4, by buckets of $2 seconds, and how many were active at $4.
SELECT a.client_id,
       coalesce(sum(a.issued) FILTER (WHERE a.within), 0)::bigint AS issued,
       coalesce(sum(a.revoked) FILTER (WHERE a.within), 0)::bigint AS revoked,
       coalesce(sum(a.issued - a.ended) FILTER (WHERE a.before), 0)::bigint AS active
  FROM (SELECT client_id, issued, revoked, ended, true AS within, false AS before
          FROM token_activity
         WHERE log_id = $1 AND unit = $2 AND start >= $3 AND start < $4
        UNION ALL
        SELECT client_id, issued, revoked, ended, false, true
          FROM token_activity
         WHERE log_id = $1
           AND (   (unit = 86400 AND start < $4 - $4 % 86400)
                OR (unit = 3600 AND start >= $4 - $4 % 86400 AND start < $4 - $4 % 3600)
                OR (unit = 60 AND start >= $4 - $4 % 3600 AND start < $4))) a
 WHERE $5::text IS NULL OR a.client_id = $5
 GROUP BY a.client_id
HAVING coalesce(sum(a.issued) FILTER (WHERE a.within), 0) > 0
    OR coalesce(sum(a.revoked) FILTER (WHERE a.within), 0) > 0
    OR coalesce(sum(a.issued - a.ended) FILTER (WHERE a.before), 0) > 0
 ORDER BY issued DESC, active DESC, a.client_id
 LIMIT $6;
