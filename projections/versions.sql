-- name: other
-- Inline projections whose rows are of another version than given, or were never built.
SELECT i.projection, i.version AS ours, v.version AS stored
  FROM unnest($1::text[], $2::integer[]) AS i (projection, version)
  LEFT JOIN projection_versions v ON v.projection = i.projection
 WHERE v.version IS DISTINCT FROM i.version
 ORDER BY i.projection;
