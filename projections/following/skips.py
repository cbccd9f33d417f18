"""Events that a projection passes over, because an operator said so where it had stopped at them.

They are recorded for ever and nobody takes one back. Whoever applies events, a follower or a build, passes over exactly
these, so that a projection that is built anew has the same rows.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from ledger.domain.errors import Refusal
from ledger.postgres.database import Connection, Database
from ledger.postgres.event_log import LAST_POSITION
from ledger.postgres.statements import load_statements

SQL = load_statements("projections.following", "skips.sql")


class Skip(Struct, frozen=True):
    """An event that is passed over: what it was, why it could not be applied, why it was skipped and by whom."""

    position: int
    topic: str
    error: str | None
    reason: str
    actor: str
    skipped_at: datetime


class NotStoppedAtEvent(Refusal):
    """Only the event that a projection is stopped at can be skipped; the message says which that is."""


class AlreadySkipped(Refusal):
    """Somebody skipped this event before."""


async def skipped_positions(
    connection: Connection, log_id: int, projection: str, *, after: int = 0, until: int = LAST_POSITION
) -> frozenset[int]:
    """What to pass over of the events after a position and up to another.

    Read it in the transaction that applies them, once that holds the checkpoint: what is skipped from then on does not
    concern it.
    """
    rows = await connection.fetch(SQL["positions"], log_id, projection, after, until)
    return frozenset(row["position"] for row in rows)


async def read_skips(connection: Connection, log_id: int, projection: str) -> Sequence[Skip]:
    """All that a projection passes over in a log, in position order."""
    return [Skip(*row) for row in await connection.fetch(SQL["read"], log_id, projection)]


async def skip_event(
    database: Database, log_id: int, projection: str, position: int, *, reason: str, actor: str
) -> Skip:
    """Have a projection pass over the event that it is stopped at.

    Raises NotStoppedThere, AlreadySkipped, Unavailable.
    """
    async with database.connection() as connection, connection.transaction():
        row = await connection.fetchrow(SQL["record"], log_id, projection, position, reason, actor)
        if row is not None:
            return Skip(*row)
        before = await connection.fetchrow(SQL["find"], log_id, projection, position)
        stopped_at: int | None = await connection.fetchval(SQL["stopped_at"], log_id, projection)
    if before is not None:
        msg = f"the event at position {position} was skipped already, by {before['actor']}: {before['reason']}"
        raise AlreadySkipped(msg)
    where = "it is not stopped" if stopped_at is None else f"it is stopped at position {stopped_at}"
    msg = f"{projection} is not stopped at position {position}, and only what stops it can be skipped: {where}"
    raise NotStoppedAtEvent(msg)
