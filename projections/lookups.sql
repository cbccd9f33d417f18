-- name: find_tokens_and_clients
-- Find active tokens by digest and clients by id in one statement.
SELECT digest, jti, client_id, subject, scope, audience, issued_at, expires_at, NULL AS document
  FROM active_tokens
 WHERE log_id = $1 AND digest = ANY ($2::bytea[])
UNION ALL
SELECT NULL, NULL, client_id, NULL, NULL, NULL, NULL, NULL, document::text
  FROM clients
 WHERE log_id = $1 AND client_id = ANY ($3::text[]);
