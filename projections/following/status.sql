-- name: status
-- Where the projections $2 stand in a log, one row each. One statement, so that positions and head fit together.
SELECT p.name, h.position AS head, clock_timestamp() AS now, coalesce(c.version, v.version) AS version,
       coalesce(c.position, 0) AS position,
       n.recorded_at AS behind_since, c.holder, coalesce(c.lease_until >= clock_timestamp(), false) AS held,
       c.stopped_at, c.stopped_topic, c.error,
       b.version AS build_version, b.state AS build_state, b.holder AS build_holder, b.started_at AS build_started_at,
       coalesce(bp.position, 0) AS build_position
  FROM log_head h
 CROSS JOIN unnest($2::text[]) AS p (name)
  LEFT JOIN projection_checkpoints c ON c.log_id = h.log_id AND c.projection = p.name
  LEFT JOIN event_log n ON n.log_id = h.log_id AND n.position = coalesce(c.position, 0) + 1
  LEFT JOIN projection_versions v ON v.projection = p.name
  LEFT JOIN projection_builds b ON b.projection = p.name
  LEFT JOIN projection_build_positions bp ON bp.projection = p.name AND bp.log_id = h.log_id
 WHERE h.log_id = $1;
