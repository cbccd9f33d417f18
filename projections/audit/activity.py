"""Token activity over time, read from the table `token_activity`."""

from datetime import UTC, datetime

from ledger.domain.clock import to_epoch_seconds
from ledger.postgres.logs import Log
from ledger.postgres.statements import load_statements
from ledger.use_cases.audit import Activity, ActivityQuery, ClientActivity, Summary
from projections.audit.checkpoint import ProjectionCheckpoint

SQL = load_statements("projections", "token_activity.sql")


class PostgresAuditActivity:
    """Implements `ledger.use_cases.audit.AuditActivity`."""

    def __init__(self, log: Log, checkpoint: ProjectionCheckpoint) -> None:
        self._log = log
        self._checkpoint = checkpoint

    async def summarize(self, query: ActivityQuery, *, clients: int, min_position: int = 0) -> Summary:
        """Count per bucket, empty buckets included, and per client. Raises AheadOfLog, NotCaughtUp, Unavailable."""
        position = await self._checkpoint.wait_for(min_position)
        log_id = await self._log.find_id()
        first, end = to_epoch_seconds(query.since), to_epoch_seconds(query.until)
        span = (log_id, query.bucket, first, end, query.client_id)
        async with self._log.database.connection() as connection:
            active = await connection.fetchval(SQL["active_at"], log_id, first, query.client_id)
            rows = await connection.fetch(SQL["buckets"], *span)
            per_client = await connection.fetch(SQL["clients"], *span, clients)
        counted = {row["start"]: row for row in rows}
        buckets = []
        for start in range(first, end, query.bucket):
            row = counted.get(start)
            issued, revoked, ended = (row["issued"], row["revoked"], row["ended"]) if row else (0, 0, 0)
            active += issued - ended
            buckets.append(Activity(datetime.fromtimestamp(start, UTC), issued, revoked, active))
        return Summary(position, buckets, [ClientActivity(*row.values()) for row in per_client])
