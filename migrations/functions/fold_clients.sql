-- Fold the events after p_after and up to p_until into clients: version 1 of the projection.
-- Runs in the transaction that records the events.
CREATE OR REPLACE FUNCTION {schema}.fold_clients(p_log_id integer, p_after bigint, p_until bigint) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $function$
DECLARE
    e          record;
    v_payload  jsonb;
    v_document jsonb;
    v_change   jsonb;
BEGIN
    FOR e IN
        SELECT l.stream_id, l.stream_version, l.topic, l.payload
          FROM event_log l
         WHERE l.log_id = p_log_id AND l.position > p_after AND l.position <= p_until AND starts_with(l.topic, 'client.')
         ORDER BY l.position
    LOOP
        v_payload := convert_from(e.payload, 'UTF8')::jsonb;
        v_change := NULL;
        IF e.topic = 'client.registered' THEN
            v_document := jsonb_build_object('id', e.stream_id, 'client_id', v_payload -> 'client_id',
                                             'secrets', '[]'::jsonb, 'enabled', true);
            v_change := jsonb_build_object('settings', v_payload -> 'settings');
        ELSE
            SELECT c.document INTO v_document
              FROM clients c
             WHERE c.log_id = p_log_id AND c.client_id = v_payload ->> 'client_id'
               AND c.stream_version = e.stream_version - 1 AND c.document ->> 'id' = e.stream_id::text;
            IF e.topic = 'client.updated' THEN
                v_change := jsonb_build_object('settings', v_payload -> 'settings');
            ELSIF e.topic = 'client.secret_added' THEN
                v_change := jsonb_build_object('secrets', (v_document -> 'secrets') || (v_payload -> 'secret'));
            ELSIF e.topic = 'client.secret_retired' THEN
                SELECT jsonb_build_object('secrets', coalesce(jsonb_agg(
                           CASE WHEN s.secret -> 'secret_id' = v_payload -> 'secret_id'
                                THEN s.secret || jsonb_build_object('expires_at', v_payload -> 'expires_at')
                                ELSE s.secret END ORDER BY s.n), '[]'))
                  INTO v_change
                  FROM jsonb_array_elements(v_document -> 'secrets') WITH ORDINALITY AS s (secret, n);
            ELSIF e.topic = 'client.disabled' THEN
                v_change := '{"enabled": false}';
            ELSIF e.topic = 'client.enabled' THEN
                v_change := '{"enabled": true}';
            END IF;
        END IF;
        v_document := v_document || v_change || jsonb_build_object('version', e.stream_version);
        -- Null where the topic is unknown, where the client is not at the version before, or where a part is missing.
        IF jsonb_typeof(v_document -> 'settings') IS DISTINCT FROM 'object' THEN
            RAISE EXCEPTION 'fold_clients: % cannot be event % of a client', e.topic, e.stream_version
                USING ERRCODE = 'data_exception';
        END IF;
        IF e.topic = 'client.registered' THEN
            INSERT INTO clients (log_id, client_id, stream_version, document)
            VALUES (p_log_id, v_payload ->> 'client_id', e.stream_version, v_document);
        ELSE
            UPDATE clients SET stream_version = e.stream_version, document = v_document
             WHERE log_id = p_log_id AND client_id = v_payload ->> 'client_id';
        END IF;
    END LOOP;
END
$function$
