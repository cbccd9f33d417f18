"""Find the position of a log at an instant or a position that a person named."""

from datetime import datetime

from ledger.postgres.archive.catalogue import find_position_at
from ledger.postgres.database import Connection
from ledger.postgres.statements import load_statements
from ledger.use_cases.audit import InstantInFuture

LOG = load_statements("ledger.postgres", "event_log.sql")

LogPoint = int | datetime
"""A position of a log, or an instant: the newest position recorded by then."""


async def find_settled_position(connection: Connection, log_id: int, instant: datetime) -> int:
    """Find the newest position recorded by an instant, once a batch in progress can no longer change it.

    Raises AheadOfLog, Archived.
    """
    now = await connection.fetchrow(LOG["clock_and_head"], log_id)
    if now is not None and instant > now["now"]:
        raise InstantInFuture(instant, now["now"])
    if now is not None and instant >= now["recorded_at"]:
        await connection.fetch(LOG["wait_for_append"], log_id)
    return await find_position_at(connection, log_id, instant)
