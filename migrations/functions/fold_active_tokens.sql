-- Fold the events after p_after and up to p_until into active_tokens: version 1 of the projection.
-- Runs in the transaction that records the events.
CREATE OR REPLACE FUNCTION {schema}.fold_active_tokens(p_log_id integer, p_after bigint, p_until bigint) RETURNS void
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
AS $function$
BEGIN
    INSERT INTO active_tokens (log_id, digest, jti, client_id, subject, scope, audience, issued_at, expires_at)
    SELECT p_log_id, decode((i.token).digest, 'base64'), (i.token).jti, (i.token).client_id, (i.token).subject,
           array_to_string((i.token).scope, ' '), (i.token).audience,
           floor(date_part('epoch', (i.token).issued_at))::bigint,
           floor(date_part('epoch', (i.token).expires_at))::bigint
      FROM (SELECT json_populate_record(NULL::token_issued_payload, convert_from(e.payload, 'UTF8')::json) AS token
              FROM event_log e
             WHERE e.log_id = p_log_id AND e.position > p_after AND e.position <= p_until
               AND e.topic = 'token.issued' AND e.schema_version = 1
            OFFSET 0) AS i;  -- a fence, so that each payload is parsed once

    DELETE FROM active_tokens
     WHERE log_id = p_log_id
       AND digest = ANY (ARRAY(SELECT decode(convert_from(e.payload, 'UTF8')::json ->> 'digest', 'base64')
                                 FROM event_log e
                                WHERE e.log_id = p_log_id AND e.position > p_after AND e.position <= p_until
                                  AND e.topic = 'token.revoked' AND e.schema_version = 1));
END
$function$
