-- The number of an issuer's log. Creates the log with its head if there is none.
CREATE OR REPLACE FUNCTION {schema}.create_log(p_name text) RETURNS integer
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER PARALLEL UNSAFE
SET search_path = {schema}, pg_temp
AS $function$
DECLARE
    v_log_id integer;
BEGIN
    -- Two that create logs at once would choose the same number.
    LOCK TABLE logs IN SHARE ROW EXCLUSIVE MODE;
    SELECT l.log_id INTO v_log_id FROM logs l WHERE l.name = p_name;
    IF NOT FOUND THEN
        SELECT coalesce(max(l.log_id), 0) + 1 INTO v_log_id FROM logs l;
        INSERT INTO logs (name, log_id, created_at) VALUES (p_name, v_log_id, clock_timestamp());
        INSERT INTO log_head (log_id, position, recorded_at) VALUES (v_log_id, 0, clock_timestamp());
    END IF;
    RETURN v_log_id;
END
$function$
