-- After an append whose outcome is unknown: the events that are recorded at these places of these streams.
-- Waits for the append under way, so that nothing is found to be missing that is about to commit.
CREATE OR REPLACE FUNCTION {schema}.find_recorded_events(p_log_id integer, p_stream uuid[], p_version integer[])
RETURNS TABLE (stream_id uuid, stream_version integer, "position" bigint, recorded_at timestamptz, salt bytea)
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER PARALLEL UNSAFE
SET search_path = {schema}, pg_temp
AS $function$
#variable_conflict use_column
BEGIN
    PERFORM FROM log_head h WHERE h.log_id = p_log_id FOR UPDATE;
    -- A statement of its own: it sees what was committed during the wait.
    RETURN QUERY
    SELECT e.stream_id, e.stream_version, e.position, e.recorded_at, e.salt
      FROM event_log e
      JOIN unnest(p_stream, p_version) AS p (stream, version) ON e.stream_id = p.stream AND e.stream_version = p.version
     WHERE e.log_id = p_log_id;
END
$function$
