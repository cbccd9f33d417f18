-- name: insert
-- Add issued tokens.
INSERT INTO active_tokens (log_id, digest, jti, client_id, subject, scope, audience, issued_at, expires_at)
SELECT $1, t.digest, t.jti, t.client_id, t.subject, t.scope, string_to_array(t.audience, ' '), t.issued_at, t.expires_at
  FROM unnest($2::bytea[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::bigint[])
       AS t (digest, jti, client_id, subject, scope, audience, issued_at, expires_at);

-- name: delete
-- Remove revoked tokens.
DELETE FROM active_tokens WHERE log_id = $1 AND digest = ANY ($2::bytea[]);

-- name: find
-- Find active tokens by digest, for introspection.
SELECT digest, jti, client_id, subject, scope, audience, issued_at, expires_at
  FROM active_tokens
 WHERE log_id = $1 AND digest = ANY ($2::bytea[]);
