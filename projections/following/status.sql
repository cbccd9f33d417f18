-- name: status
-- The projections $2 in a log, one row each. One statement, so that positions and head are of one instant.
SELECT p.name, coalesce(h.position, 0) AS head, clock_timestamp() AS now, coalesce(c.version, v.version) AS version,
       coalesce(c.position, 0) AS position, n.recorded_at AS lagging_since,
       c.holder, coalesce(c.lease_until >= clock_timestamp(), false) AS held,
       c.stopped_at, c.stopped_topic, c.error_type, c.error,
       b.version AS build_version, b.state AS build_state, b.holder AS build_holder, b.started_at AS build_started_at,
       coalesce(bp.position, 0) AS build_position
  FROM unnest($2::text[]) WITH ORDINALITY AS p (name, n)
  LEFT JOIN log_head h ON h.log_id = $1
  LEFT JOIN projection_checkpoints c ON c.log_id = $1 AND c.projection = p.name
  LEFT JOIN event_log n ON n.log_id = $1 AND n.position = coalesce(c.position, 0) + 1
  LEFT JOIN projection_versions v ON v.projection = p.name
  LEFT JOIN projection_builds b ON b.projection = p.name
  LEFT JOIN projection_build_positions bp ON bp.projection = p.name AND bp.log_id = $1
 ORDER BY p.n;
