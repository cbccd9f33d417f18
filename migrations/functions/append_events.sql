-- Append a batch of writes to one log. The only way into event_log, log_head, active_tokens and clients.
--
-- Streams are listed once in p_streams; guards and events refer to them by their number there. p_write_guards and
-- p_write_events say how many of the following guards and events belong to each write. A write is recorded when its
-- guards hold and its events follow in their streams, as the earlier writes of the batch leave them.
--
-- Returns one row. `before` is the head before the append: the recorded events have the positions after it, without
-- gaps, in the order given. The conflict columns name each write that was not recorded, the stream in conflict, and the
-- version of that stream. `before` is null, and nothing is recorded, when the inline projections of this database are
-- not of the versions that the caller writes.
CREATE OR REPLACE FUNCTION {schema}.append_events(
    p_log_id              integer,
    p_projections         text[],
    p_projection_versions integer[],
    p_streams             uuid[],
    p_write_guards        integer[],
    p_write_events        integer[],
    p_guard_stream        integer[],
    p_guard_version       integer[],
    p_event_stream        integer[],
    p_event_version       integer[],
    p_topic               text[],
    p_schema_version      smallint[],
    p_payload             bytea[],
    p_actor               text[],
    p_request_id          text[],
    p_remote_address      text[],
    p_salt                bytea[],
    OUT before            bigint,
    OUT recorded_at       timestamptz,
    OUT conflict_write    integer[],
    OUT conflict_stream   integer[],
    OUT conflict_version  integer[]
)
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER PARALLEL UNSAFE
-- pg_temp comes last, so that a caller's temporary table cannot stand in for a table of the ledger.
SET search_path = {schema}, pg_temp
-- A custom plan for each new array length would cost more than it saves.
SET plan_cache_mode = force_generic_plan
AS $function$
#variable_conflict use_column
DECLARE
    v_events      CONSTANT integer := cardinality(p_event_stream);
    v_before      bigint;
    v_recorded_at timestamptz;
    v_versions    integer[];                                       -- of each stream, as the writes so far leave it
    v_kept        boolean[] := array_fill(true, ARRAY[v_events]);  -- false for the events of writes in conflict
    v_recorded    integer := 0;
    v_is_current  boolean;
    v_guard       integer := 0;
    v_event       integer := 0;
    v_first       integer;
    v_conflict    integer;                                         -- the number of a stream
BEGIN
    IF v_events <> ANY (ARRAY[cardinality(p_event_version), cardinality(p_topic), cardinality(p_schema_version),
                              cardinality(p_payload), cardinality(p_actor), cardinality(p_request_id),
                              cardinality(p_remote_address), cardinality(p_salt)])
       OR cardinality(p_write_guards) <> cardinality(p_write_events)
       OR cardinality(p_guard_stream) <> cardinality(p_guard_version) THEN
        RAISE EXCEPTION 'append_events: the columns have different lengths' USING ERRCODE = 'data_exception';
    END IF;

    -- The head lock comes first, so that nothing else is locked while this waits for its turn.
    SELECT h.position, h.recorded_at INTO v_before, v_recorded_at
      FROM log_head h
     WHERE h.log_id = p_log_id
       FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'append_events: log % does not exist', p_log_id USING ERRCODE = 'no_data_found';
    END IF;
    -- A statement of its own: in the statement that waits for the lock the clock would be read before the wait.
    v_recorded_at := greatest(v_recorded_at, clock_timestamp());

    -- A statement of its own: it sees what was committed during the wait.
    SELECT ARRAY(SELECT coalesce((SELECT e.stream_version
                                    FROM event_log e
                                   WHERE e.log_id = p_log_id AND e.stream_id = s.id
                                   ORDER BY e.stream_version DESC
                                   LIMIT 1), 0)
                   FROM unnest(p_streams) AS s (id)),
           NOT EXISTS (SELECT
                         FROM projection_versions v
                        WHERE v.projection IN ('active_tokens', 'clients')
                          AND v.version IS DISTINCT FROM
                              p_projection_versions[array_position(p_projections, v.projection)])
      INTO v_versions, v_is_current;
    IF NOT v_is_current THEN
        RETURN;
    END IF;

    conflict_write := '{}';
    conflict_stream := '{}';
    conflict_version := '{}';
    FOR w IN 1 .. cardinality(p_write_events) LOOP
        v_conflict := NULL;
        FOR g IN v_guard + 1 .. v_guard + p_write_guards[w] LOOP
            IF v_versions[p_guard_stream[g]] IS DISTINCT FROM p_guard_version[g] THEN
                v_conflict := p_guard_stream[g];
                EXIT;
            END IF;
        END LOOP;
        v_guard := v_guard + p_write_guards[w];
        v_first := v_event + 1;
        v_event := v_event + p_write_events[w];
        IF v_conflict IS NULL THEN
            FOR e IN v_first .. v_event LOOP
                IF p_event_version[e] IS DISTINCT FROM v_versions[p_event_stream[e]] + 1 THEN
                    v_conflict := p_event_stream[e];
                    -- Where the stream is for this write: its own earlier events count.
                    conflict_version := conflict_version || v_versions[v_conflict];
                    FOR u IN REVERSE e - 1 .. v_first LOOP
                        v_versions[p_event_stream[u]] := p_event_version[u] - 1;
                    END LOOP;
                    EXIT;
                END IF;
                v_versions[p_event_stream[e]] := p_event_version[e];
            END LOOP;
        ELSE
            conflict_version := conflict_version || v_versions[v_conflict];
        END IF;
        IF v_conflict IS NULL THEN
            v_recorded := v_recorded + p_write_events[w];
        ELSE
            conflict_write := conflict_write || w;
            conflict_stream := conflict_stream || v_conflict;
            FOR e IN v_first .. v_event LOOP
                v_kept[e] := false;
            END LOOP;
        END IF;
    END LOOP;
    IF v_event <> v_events OR v_guard <> cardinality(p_guard_stream) THEN
        RAISE EXCEPTION 'append_events: some events or guards belong to no write' USING ERRCODE = 'data_exception';
    END IF;
    before := v_before;
    recorded_at := v_recorded_at;
    IF v_recorded = 0 THEN
        RETURN;
    END IF;

    INSERT INTO event_log (log_id, position, recorded_at, stream_id, stream_version, topic, schema_version,
                           payload, actor, request_id, remote_address, salt)
    SELECT p_log_id, v_before + row_number() OVER (), v_recorded_at, p_streams[e.stream], e.version, e.topic,
           e.schema_version, e.payload, e.actor, e.request_id, e.remote_address, e.salt
      FROM (SELECT unnest(v_kept) AS kept, unnest(p_event_stream) AS stream, unnest(p_event_version) AS version,
                   unnest(p_topic) AS topic, unnest(p_schema_version) AS schema_version,
                   unnest(p_payload) AS payload, unnest(p_actor) AS actor, unnest(p_request_id) AS request_id,
                   unnest(p_remote_address) AS remote_address, unnest(p_salt) AS salt) AS e
     WHERE e.kept;
    PERFORM fold_active_tokens(p_log_id, v_before, v_before + v_recorded);
    IF 'client.' = ANY (ARRAY(SELECT left(t.topic, 7) FROM unnest(p_topic) AS t (topic))) THEN
        PERFORM fold_clients(p_log_id, v_before, v_before + v_recorded);
    END IF;

    UPDATE log_head h SET position = v_before + v_recorded, recorded_at = v_recorded_at WHERE h.log_id = p_log_id;
    -- A full notification queue would fail the commit. Followers poll as well.
    IF pg_notification_queue_usage() < 0.5 THEN
        PERFORM pg_notify('token_ledger', p_log_id || ':' || (v_before + v_recorded));
    END IF;
END
$function$
