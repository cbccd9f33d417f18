-- Take the next page of the comparison of a log's views with the log: its row stays locked until the transaction ends.
--
-- Returns in how many seconds to try again: 0 when the page is taken, which then starts after `after` in `view`. Both are
-- null at the start of a round.
CREATE OR REPLACE FUNCTION {schema}.take_view_check(
    p_log_id integer, OUT rest double precision, OUT view text, OUT after text
)
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER PARALLEL UNSAFE
SET search_path = {schema}, pg_temp
AS $function$
BEGIN
    SELECT 0, c.view, c.after INTO rest, view, after
      FROM view_checks c
     WHERE c.log_id = p_log_id AND c.due_at <= clock_timestamp()
       FOR UPDATE SKIP LOCKED;
    IF FOUND THEN
        RETURN;
    END IF;
    -- At least a second, while another session compares the page.
    SELECT greatest(extract(epoch FROM c.due_at - clock_timestamp()), 1) INTO rest
      FROM view_checks c
     WHERE c.log_id = p_log_id;
    IF NOT FOUND THEN
        -- When another session inserts it at the same time, that session takes the page.
        INSERT INTO view_checks (log_id, due_at) VALUES (p_log_id, clock_timestamp()) ON CONFLICT DO NOTHING;
        rest := CASE WHEN FOUND THEN 0 ELSE 1 END;
    END IF;
END
$function$
