"""Reading `token_activity`: what happened over time, and how many tokens were active when."""

from datetime import UTC, datetime

from ledger.postgres.logs import Log
from ledger.postgres.statements import load_statements
from ledger.use_cases.audit import Activity, ActivityQuery, ClientActivity, Summary
from ledger.use_cases.ports import epoch_seconds

SQL = load_statements("projections", "token_activity.sql")


async def read_summary(log: Log, query: ActivityQuery, *, position: int, clients: int) -> Summary:
    """Every bucket of the time asked for, empty ones too, and at most so many clients. Raises Unavailable."""
    log_id = await log.to_read()
    first, end = epoch_seconds(query.since), epoch_seconds(query.until)
    async with log.database.connection() as connection:
        active = await connection.fetchval(SQL["active_at"], log_id, first, query.client_id)
        rows = await connection.fetch(SQL["buckets"], log_id, query.bucket, first, end, query.client_id)
        of_clients = await connection.fetch(SQL["clients"], log_id, query.bucket, first, end, query.client_id, clients)
    counted = {row["start"]: row for row in rows}
    buckets = []
    for start in range(first, end, query.bucket):
        row = counted.get(start)
        issued, revoked, ended = (row["issued"], row["revoked"], row["ended"]) if row else (0, 0, 0)
        active += issued - ended
        buckets.append(Activity(datetime.fromtimestamp(start, UTC), issued, revoked, active))
    return Summary(position, buckets, [ClientActivity(*row.values()) for row in of_clients])
