-- name: tables
-- Sizes, dead rows and vacuum counts of tables.
SELECT s.relname AS name, pg_relation_size(s.relid) AS bytes, pg_indexes_size(s.relid) AS index_bytes,
       s.n_live_tup AS live, s.n_dead_tup AS dead, s.n_tup_ins AS inserted, s.n_tup_upd AS updated,
       s.n_tup_hot_upd AS updated_hot, s.n_tup_del AS deleted, s.autovacuum_count AS vacuums,
       s.autoanalyze_count AS analyzes
  FROM pg_stat_user_tables s WHERE s.relname = ANY ($1) ORDER BY s.relname;

-- name: moment
-- WAL position, expired rows that still exist, and seconds since the last complete sweep began.
SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint AS wal_bytes,
       (SELECT count(*) FROM active_tokens WHERE expires_at <= extract(epoch FROM clock_timestamp())) AS expired_rows,
       (SELECT extract(epoch FROM clock_timestamp() - walked_at)::float8 FROM expiry_sweep) AS sweep_behind;

-- name: hold_sweep
-- Delays the next sweep.
UPDATE expiry_sweep SET due_at = clock_timestamp() + $1::interval;

-- name: add_rows
-- Tokens that stay live, so that the sweep has a large table to scan.
INSERT INTO active_tokens
SELECT l.log_id, sha256(('soak ' || n)::bytea), gen_random_uuid(), 'user-client-opaque', 'user-client-opaque',
       'country.read customer.read customer.write', '{user-client-opaque}', 1, 4000000000
  FROM generate_series(1, $1::integer) n, (SELECT min(log_id) AS log_id FROM logs) l;
