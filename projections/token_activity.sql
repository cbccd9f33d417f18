-- name: buckets
-- The counts of each bucket of $2 seconds in [$3, $4), of client $5 or of all.
SELECT start, sum(issued)::bigint AS issued, sum(revoked)::bigint AS revoked, sum(ended)::bigint AS ended
  FROM token_activity
 WHERE log_id = $1 AND unit = $2 AND start >= $3 AND start < $4 AND ($5::text IS NULL OR client_id = $5)
 GROUP BY start
 ORDER BY start;

-- name: active_at
-- Tokens active at minute $2: issued before it minus ended before it, summed over whole days, then hours, then minutes.
-- Of client $3 or of all.
SELECT coalesce(sum(issued - ended), 0)::bigint AS active
  FROM token_activity
 WHERE log_id = $1
   AND (   (unit = 86400 AND start < $2 - $2 % 86400)
        OR (unit = 3600 AND start >= $2 - $2 % 86400 AND start < $2 - $2 % 3600)
        OR (unit = 60 AND start >= $2 - $2 % 3600 AND start < $2))
   AND ($3::text IS NULL OR client_id = $3);

-- name: clients
-- The counts of each client in [$3, $4), by buckets of $2 seconds, and its active tokens at $4.
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
