-- name: read_due
-- In how many seconds the next step is due.
SELECT extract(epoch FROM due_at - clock_timestamp())::float8 FROM expiry_sweep WHERE table_name = 'active_tokens';

-- name: read_pages
-- How many pages the table has.
SELECT pg_relation_size(to_regclass('active_tokens')) / current_setting('block_size')::bigint;

-- name: sweep
-- Take the next step: see migrations/functions/sweep_expired_tokens.sql.
SELECT deleted, rest FROM sweep_expired_tokens($1, $2, $3, $4);

-- name: read_lag
-- How many seconds ago the last complete walk began.
SELECT extract(epoch FROM clock_timestamp() - walked_at)::float8 FROM expiry_sweep WHERE table_name = 'active_tokens';
