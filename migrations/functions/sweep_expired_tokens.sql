-- Take the next step of the sweep, if it is due and no other session is taking it: delete the rows of the next p_pages
-- pages of active_tokens that expired more than p_grace seconds ago.
--
-- Returns how many rows went, and in how many seconds the next step is due: after p_rest, or after p_rest_per_work times
-- what this step took, whichever is longer. Both are null when no step was taken. The walk starts again at the first page
-- when the table has another file, after a rebuild or a VACUUM FULL.
CREATE OR REPLACE FUNCTION {schema}.sweep_expired_tokens(
    p_pages integer, p_grace integer, p_rest double precision, p_rest_per_work double precision,
    OUT deleted bigint, OUT rest double precision
)
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER PARALLEL UNSAFE
SET search_path = {schema}, pg_temp
AS $function$
DECLARE
    v_started CONSTANT timestamptz := clock_timestamp();
    v_table   CONSTANT oid := to_regclass('active_tokens');
    v_pages   CONSTANT bigint := pg_relation_size(v_table) / current_setting('block_size')::bigint;
    v_first   bigint;
    v_next    bigint;
BEGIN
    SELECT CASE WHEN s.filenode = pg_relation_filenode(v_table) THEN s.block ELSE 0 END INTO v_first
      FROM expiry_sweep s
     WHERE s.table_name = 'active_tokens' AND s.due_at <= v_started
       FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN;
    END IF;

    DELETE FROM active_tokens
     WHERE ctid >= format('(%s,0)', v_first)::tid AND ctid < format('(%s,0)', v_first + p_pages)::tid
       AND expires_at <= floor(extract(epoch FROM v_started)) - greatest(p_grace, 0);
    GET DIAGNOSTICS deleted = ROW_COUNT;

    v_next := CASE WHEN v_first + p_pages < v_pages THEN v_first + p_pages ELSE 0 END;
    rest := greatest(p_rest, extract(epoch FROM clock_timestamp() - v_started) * p_rest_per_work);
    UPDATE expiry_sweep s
       SET filenode = pg_relation_filenode(v_table),
           began_at = CASE v_first WHEN 0 THEN v_started ELSE s.began_at END,
           walked_at = CASE WHEN v_next <> 0 THEN s.walked_at WHEN v_first = 0 THEN v_started ELSE s.began_at END,
           block = v_next,
           due_at = clock_timestamp() + make_interval(secs => rest)
     WHERE s.table_name = 'active_tokens';
END
$function$
