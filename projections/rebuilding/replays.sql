-- name: keep
-- The statement that keeps a copy of a temporary table as it is now.
SELECT format('CREATE TABLE pg_temp.%I AS TABLE pg_temp.%I', $2::text, $1::text);

-- name: now
-- What time it is at the database, and where a log ends.
SELECT clock_timestamp() AS now, position, recorded_at FROM {live}.log_head WHERE log_id = $1;

-- name: settle
-- Wait for the batch under way, if there is one.
SELECT FROM {live}.log_head WHERE log_id = $1 FOR SHARE;
