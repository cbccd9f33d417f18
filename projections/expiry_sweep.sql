-- name: read_due
-- In how many seconds the next step is due.
SELECT extract(epoch FROM due_at - clock_timestamp())::float8 FROM expiry_sweep WHERE table_name = 'active_tokens';

-- name: take_step
-- Lock the sweep if a step is due, without waiting. If the rows are in another file, after a rebuild or a VACUUM FULL, the
-- walk restarts.
SELECT CASE WHEN s.filenode = pg_relation_filenode(t.id) THEN s.block ELSE 0 END AS block,
       pg_relation_size(t.id) / current_setting('block_size')::bigint AS pages,
       floor(extract(epoch FROM clock_timestamp()))::bigint AS now
  FROM expiry_sweep s, to_regclass('active_tokens') AS t (id)
 WHERE s.table_name = 'active_tokens' AND s.due_at <= clock_timestamp()
   FOR UPDATE OF s SKIP LOCKED;

-- name: delete_expired
-- Delete the rows on some pages, of any log, that have expired by $3.
DELETE FROM active_tokens WHERE ctid >= $1::tid AND ctid < $2::tid AND expires_at <= $3;

-- name: finish_step
-- Record the next page and when it is due. A walk begins at page 0, and is complete when the next page is 0 again.
UPDATE expiry_sweep
   SET filenode = pg_relation_filenode(to_regclass('active_tokens')),
       began_at = CASE $1::bigint WHEN 0 THEN now() ELSE began_at END,
       walked_at = CASE $2::bigint WHEN 0 THEN CASE $1::bigint WHEN 0 THEN now() ELSE began_at END ELSE walked_at END,
       block = $2,
       due_at = clock_timestamp() + $3::interval
 WHERE table_name = 'active_tokens';

-- name: read_lag
-- How many seconds ago the last complete walk began.
SELECT extract(epoch FROM clock_timestamp() - walked_at)::float8 FROM expiry_sweep WHERE table_name = 'active_tokens';
