-- Record the result of a page that take_view_check gave in this transaction. The next page starts after p_after in
-- p_view and is due in p_rest seconds, an hour at most. The round is complete when p_view is null.
CREATE OR REPLACE FUNCTION {schema}.record_view_check(
    p_log_id integer, p_view text, p_after text, p_rows integer, p_differences text[], p_rest double precision
) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE
SET search_path = {schema}, pg_temp
AS $function$
DECLARE
    v_complete CONSTANT boolean := p_view IS NULL;
BEGIN
    UPDATE view_checks c
       SET view = p_view,
           after = p_after,
           due_at = clock_timestamp() + make_interval(secs => least(greatest(p_rest, 0), 3600)),
           rows_compared = c.rows_compared + greatest(p_rows, 0),
           round_started_at = CASE WHEN NOT v_complete THEN coalesce(c.round_started_at, now()) END,
           verified_at = CASE WHEN v_complete THEN coalesce(c.round_started_at, now()) ELSE c.verified_at END,
           differences = CASE WHEN v_complete THEN 0 ELSE c.differences + cardinality(p_differences) END,
           findings = CASE WHEN v_complete THEN '{}' ELSE (c.findings || p_differences)[:20] END,
           last_differences = CASE WHEN v_complete THEN c.differences + cardinality(p_differences)
                                   ELSE c.last_differences END,
           last_findings = CASE WHEN v_complete THEN (c.findings || p_differences)[:20] ELSE c.last_findings END
     WHERE c.log_id = p_log_id;
END
$function$
