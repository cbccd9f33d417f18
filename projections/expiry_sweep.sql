-- name: look
-- In how many seconds the next step is due.
SELECT extract(epoch FROM due_at - clock_timestamp())::float8 FROM expiry_sweep WHERE table_name = 'active_tokens';

-- name: take
-- Become the one who takes the step that is due, until the transaction ends; nobody waits for who is at it. Another file
-- has the rows elsewhere, so the walk begins again: after a rebuild, or a VACUUM FULL.
SELECT CASE WHEN s.filenode = pg_relation_filenode(t.id) THEN s.block ELSE 0 END AS block,
       pg_relation_size(t.id) / current_setting('block_size')::bigint AS pages,
       floor(extract(epoch FROM clock_timestamp()))::bigint AS now
  FROM expiry_sweep s, to_regclass('active_tokens') AS t (id)
 WHERE s.table_name = 'active_tokens' AND s.due_at <= clock_timestamp()
   FOR UPDATE OF s SKIP LOCKED;

-- name: sweep
-- The rows of some pages, of whatever log, that expired by then.
DELETE FROM active_tokens WHERE ctid >= $1::tid AND ctid < $2::tid AND expires_at <= $3;

-- name: done
-- Where the walk is, and when it goes on. From page 0 on it is a new one; after the last page it was a whole one.
UPDATE expiry_sweep
   SET filenode = pg_relation_filenode(to_regclass('active_tokens')),
       began_at = CASE $1::bigint WHEN 0 THEN now() ELSE began_at END,
       walked_at = CASE $2::bigint WHEN 0 THEN CASE $1::bigint WHEN 0 THEN now() ELSE began_at END ELSE walked_at END,
       block = $2,
       due_at = clock_timestamp() + $3::interval
 WHERE table_name = 'active_tokens';

-- name: behind
-- How many seconds ago the last whole walk began.
SELECT extract(epoch FROM clock_timestamp() - walked_at)::float8 FROM expiry_sweep WHERE table_name = 'active_tokens';
