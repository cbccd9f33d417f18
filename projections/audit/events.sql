-- name: of_actor
-- Events of an actor and some topics after $2 and up to $3, found through event_index, each topic by its index. OFFSET 0
-- makes the planner read the log by primary key.
WITH candidate AS MATERIALIZED (
    SELECT i.position
      FROM unnest($6::text[]) AS t (topic)
     CROSS JOIN LATERAL (SELECT position FROM event_index
                          WHERE log_id = $1 AND actor = $5 AND topic = t.topic AND position > $2 AND position <= $3
                          ORDER BY position LIMIT $4) i
     ORDER BY i.position
     LIMIT $4
)
SELECT e.*
  FROM candidate c
 CROSS JOIN LATERAL (SELECT position, recorded_at, stream_id, stream_version, topic, schema_version, payload, actor,
                            request_id, remote_address
                       FROM event_log WHERE log_id = $1 AND position = c.position OFFSET 0) e
 ORDER BY e.position;

-- name: of_topics
-- Events of some topics after $2 and up to $3, found through event_index, each topic by the primary key.
WITH candidate AS MATERIALIZED (
    SELECT i.position
      FROM unnest($5::text[]) AS t (topic)
     CROSS JOIN LATERAL (SELECT position FROM event_index
                          WHERE log_id = $1 AND topic = t.topic AND position > $2 AND position <= $3
                          ORDER BY position LIMIT $4) i
     ORDER BY i.position
     LIMIT $4
)
SELECT e.*
  FROM candidate c
 CROSS JOIN LATERAL (SELECT position, recorded_at, stream_id, stream_version, topic, schema_version, payload, actor,
                            request_id, remote_address
                       FROM event_log WHERE log_id = $1 AND position = c.position OFFSET 0) e
 ORDER BY e.position;

-- name: of_client
-- Events of some topics about a client after $2 and up to $3: of its tokens, found through token_history, and of its own
-- stream $6.
WITH found AS (
    (SELECT issued_position AS position FROM token_history
      WHERE 'token.issued' = ANY ($7::text[]) AND log_id = $1 AND client_id = $5
        AND issued_position > $2 AND issued_position <= $3
      ORDER BY issued_position LIMIT $4)
    UNION ALL
    (SELECT revoked_position FROM token_history
      WHERE 'token.revoked' = ANY ($7::text[]) AND log_id = $1 AND client_id = $5
        AND revoked_position > $2 AND revoked_position <= $3 AND revoked_position IS NOT NULL
      ORDER BY revoked_position LIMIT $4)
    UNION ALL
    SELECT position FROM event_log
     WHERE log_id = $1 AND stream_id = $6 AND topic = ANY ($7::text[]) AND position > $2 AND position <= $3
), candidate AS MATERIALIZED (
    SELECT position FROM found ORDER BY position LIMIT $4
)
SELECT e.*
  FROM candidate c
 CROSS JOIN LATERAL (SELECT position, recorded_at, stream_id, stream_version, topic, schema_version, payload, actor,
                            request_id, remote_address
                       FROM event_log WHERE log_id = $1 AND position = c.position OFFSET 0) e
 ORDER BY e.position;

-- name: of_subject
-- Events of some topics about a subject's tokens after $2 and up to $3, of client $6 or of all. A subject that equals its
-- client is found by client.
WITH found AS (
    (SELECT issued_position AS position FROM token_history
      WHERE 'token.issued' = ANY ($7::text[]) AND log_id = $1 AND client_id = $5 AND subject = $5
        AND issued_position > $2 AND issued_position <= $3 AND ($6::text IS NULL OR client_id = $6)
      ORDER BY issued_position LIMIT $4)
    UNION ALL
    (SELECT issued_position FROM token_history
      WHERE 'token.issued' = ANY ($7::text[]) AND log_id = $1 AND subject = $5 AND subject <> client_id
        AND issued_position > $2 AND issued_position <= $3 AND ($6::text IS NULL OR client_id = $6)
      ORDER BY issued_position LIMIT $4)
    UNION ALL
    (SELECT revoked_position FROM token_history
      WHERE 'token.revoked' = ANY ($7::text[]) AND log_id = $1 AND subject = $5
        AND revoked_position > $2 AND revoked_position <= $3 AND revoked_position IS NOT NULL
        AND ($6::text IS NULL OR client_id = $6)
      ORDER BY revoked_position LIMIT $4)
), candidate AS MATERIALIZED (
    SELECT position FROM found ORDER BY position LIMIT $4
)
SELECT e.*
  FROM candidate c
 CROSS JOIN LATERAL (SELECT position, recorded_at, stream_id, stream_version, topic, schema_version, payload, actor,
                            request_id, remote_address
                       FROM event_log WHERE log_id = $1 AND position = c.position OFFSET 0) e
 ORDER BY e.position;
