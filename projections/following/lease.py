"""How far a projection has read a log, and the lease to read on.

Both are one row, and that row is locked by the transaction that applies events. So a checkpoint commits with the rows
it stands for, and whoever lost the lease, be it that his process was paused in the middle, writes nothing more.
"""

from datetime import timedelta

from msgspec import Struct

from ledger.domain.errors import LedgerError
from ledger.postgres.database import Connection, Database
from ledger.postgres.statements import load_statements

SQL = load_statements("projections.following", "checkpoints.sql")

LEASE = timedelta(seconds=3)
"""How long a lease lasts that is not renewed: after that another process may follow."""

APPLYING = "token-ledger follower"
"""The application name of a session while it applies events."""

PAUSED = timedelta(seconds=2)
"""How long such a session may keep the server waiting for rows."""


class LeaseLost(Exception):
    """Another process follows now."""


class VersionMismatch(LedgerError):
    """The rows of a projection were written by another version of it."""


class Lease(Struct, frozen=True):
    """The right to apply events to one projection of one log. `token` is new each time it changes hands."""

    log_id: int
    projection: str
    token: int


async def take_lease(database: Database, log_id: int, projection: str, version: int, holder: str) -> Lease | None:
    """The lease, unless somebody has it. Raises VersionMismatch, Unavailable."""
    async with database.connection() as connection:
        # Looked for first: to insert what is there already would wait for the transaction that holds it.
        if await connection.fetchval(SQL["read"], log_id, projection) is None:
            await connection.execute(SQL["create"], log_id, projection, version)
        row = await connection.fetchrow(SQL["take_lease"], log_id, projection, holder, LEASE)
        if row is None and await connection.fetchval(SQL["ran_out"], log_id, projection):
            await connection.execute(SQL["end_paused"], APPLYING, PAUSED)
    if row is None:
        return None
    lease = Lease(log_id, projection, row["lease_token"])
    if row["version"] != version:
        await release(database, lease)
        msg = (
            f"The projection {projection} of this database has version {row['version']}, this release has {version}: "
            "its rows cannot be mixed."
        )
        raise VersionMismatch(msg)
    return lease


async def hold(connection: Connection, lease: Lease) -> int:
    """Within a transaction: keep everybody else off until its end; returns the checkpoint. Raises LeaseLost."""
    row = await connection.fetchrow(SQL["hold"], lease.log_id, lease.projection, lease.token)
    if row is None:
        msg = f"another process follows {lease.projection} now"
        raise LeaseLost(msg)
    position: int = row["position"]
    return position


async def advance(connection: Connection, lease: Lease, position: int) -> None:
    """Within the transaction of the rows: all up to this position is applied."""
    await connection.execute(SQL["advance"], lease.log_id, lease.projection, lease.token, position, LEASE)


async def stop_at(database: Database, lease: Lease, position: int, topic: str, error: str) -> None:
    """Say that this event could not be applied."""
    async with database.connection() as connection:
        await connection.execute(SQL["stop"], lease.log_id, lease.projection, lease.token, position, topic, error)


async def release(database: Database, lease: Lease) -> None:
    """Let anybody have the lease. Raises Unavailable; then it runs out by itself."""
    async with database.connection() as connection:
        await connection.execute(SQL["release"], lease.log_id, lease.projection, lease.token)


async def read_checkpoint(database: Database, log_id: int, projection: str) -> int:
    """How far a projection has read; 0 when it never began. Raises Unavailable."""
    async with database.connection() as connection:
        position: int | None = await connection.fetchval(SQL["read"], log_id, projection)
    return position or 0
