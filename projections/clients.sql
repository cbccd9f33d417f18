-- name: upsert
-- Store clients in their state after a batch.
INSERT INTO clients (log_id, client_id, stream_version, document)
SELECT $1, c.client_id, c.stream_version, c.document::jsonb
  FROM unnest($2::text[], $3::integer[], $4::text[]) AS c (client_id, stream_version, document)
ON CONFLICT (log_id, client_id)
DO UPDATE SET stream_version = excluded.stream_version, document = excluded.document;

-- name: find
-- Find clients by id.
SELECT client_id, document::text AS document FROM clients WHERE log_id = $1 AND client_id = ANY ($2::text[]);

-- name: all
-- Every client of a log.
SELECT document::text AS document FROM clients WHERE log_id = $1 ORDER BY client_id;
