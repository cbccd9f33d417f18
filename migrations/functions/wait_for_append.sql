-- Wait for the append under way, if there is one. What is appended later is recorded later than now.
CREATE OR REPLACE FUNCTION {schema}.wait_for_append(p_log_id integer) RETURNS void
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER PARALLEL UNSAFE
SET search_path = {schema}, pg_temp
AS $function$
BEGIN
    PERFORM FROM log_head WHERE log_id = p_log_id FOR SHARE;
END
$function$
