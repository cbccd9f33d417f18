"""Events that a projection skips because an operator said so when the projection had stopped at them.

Skips are permanent. Followers and rebuilds skip exactly these events, so a rebuilt projection has the same rows.
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
    """A skipped event: the `error` with which it could not be applied, and who skipped it for which `reason`."""

    position: int
    topic: str
    error: str | None
    reason: str
    actor: str
    skipped_at: datetime


class NotStoppedAtEvent(Refusal):
    """Only the event at which a projection is stopped can be skipped."""


class AlreadySkipped(Refusal):
    """The event was skipped before."""


async def skipped_positions(
    connection: Connection, log_id: int, projection: str, *, after: int = 0, until: int = LAST_POSITION
) -> frozenset[int]:
    """Read the positions in (after, until] that are skipped.

    Read them in the transaction that applies the events, after it has locked the checkpoint: later skips do not
    concern it.
    """
    rows = await connection.fetch(SQL["positions"], log_id, projection, after, until)
    return frozenset(row["position"] for row in rows)


async def read_skips(connection: Connection, log_id: int, projection: str) -> Sequence[Skip]:
    """Read the skips of a projection in a log, in position order."""
    return [Skip(*row) for row in await connection.fetch(SQL["read"], log_id, projection)]


async def skip_event(
    database: Database, log_id: int, projection: str, position: int, *, reason: str, actor: str
) -> Skip:
    """Skip the event at which a projection is stopped. Raises NotStoppedAtEvent, AlreadySkipped, Unavailable."""
    async with database.connection() as connection, connection.transaction():
        row = await connection.fetchrow(SQL["record"], log_id, projection, position, reason, actor)
        if row is not None:
            return Skip(*row)
        skips = {skip.position: skip for skip in await read_skips(connection, log_id, projection)}
        stopped_at: int | None = await connection.fetchval(SQL["stopped_at"], log_id, projection)
    if position in skips:
        skip = skips[position]
        msg = f"the event at position {position} was already skipped by {skip.actor}: {skip.reason}"
        raise AlreadySkipped(msg)
    where = "it is not stopped" if stopped_at is None else f"it is stopped at position {stopped_at}"
    msg = f"the event at position {position} cannot be skipped: {projection} is not stopped there, {where}"
    raise NotStoppedAtEvent(msg)
