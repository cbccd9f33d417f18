"""The checkpoint of a projection, and the lease to move it.

Both are in one row, which the transaction that applies events locks. A checkpoint therefore commits with the rows it
covers, and a process that lost its lease, because it was paused for example, writes nothing more.
"""

from datetime import timedelta

from msgspec import Struct

from ledger.domain.errors import LedgerError
from ledger.postgres.database import Connection, Database
from ledger.postgres.statements import load_statements

SQL = load_statements("projections.following", "checkpoints.sql")

LEASE_DURATION = timedelta(seconds=3)
"""If a lease is not renewed for this long, another process may take it."""

APPLYING = "token-ledger follower"
"""The application name of a session while it applies events."""

PAUSE_LIMIT = timedelta(seconds=2)
"""How long a session that applies events may keep the server waiting for rows."""


class LeaseLost(Exception):
    """Another process holds the lease now."""


class VersionMismatch(LedgerError):
    """The rows of a projection were written by another version of it."""


class Lease(Struct, frozen=True):
    """The right to apply events to one projection of one log. Each holder gets a new `token`."""

    log_id: int
    projection: str
    token: int


async def take_lease(database: Database, log_id: int, projection: str, version: int, holder: str) -> Lease | None:
    """Take the lease; None if another process holds it. Raises VersionMismatch, Unavailable."""
    async with database.connection() as connection:
        # Read first: inserting an existing row would wait for the transaction that has locked it.
        if await connection.fetchval(SQL["read"], log_id, projection) is None:
            await connection.execute(SQL["create"], log_id, projection, version)
        row = await connection.fetchrow(SQL["take_lease"], log_id, projection, holder, LEASE_DURATION)
        if row is None and await connection.fetchval(SQL["has_expired"], log_id, projection):
            await connection.execute(SQL["end_paused"], APPLYING, PAUSE_LIMIT)
    if row is None:
        return None
    lease = Lease(log_id, projection, row["lease_token"])
    if row["version"] != version:
        await release_lease(database, lease)
        msg = f"Projection {projection} has version {row['version']} in this database, this release has {version}."
        raise VersionMismatch(msg)
    return lease


async def lock_checkpoint(connection: Connection, lease: Lease) -> int:
    """Lock the checkpoint until the transaction ends, and return its position. Raises LeaseLost."""
    position: int | None = await connection.fetchval(SQL["lock"], lease.log_id, lease.projection, lease.token)
    if position is None:
        msg = f"another process follows {lease.projection} now"
        raise LeaseLost(msg)
    return position


async def advance_checkpoint(connection: Connection, lease: Lease, position: int) -> None:
    """Move the checkpoint and renew the lease, within the transaction that applied the events."""
    await connection.execute(SQL["advance"], lease.log_id, lease.projection, lease.token, position, LEASE_DURATION)


async def record_stop(
    database: Database, lease: Lease, position: int, topic: str, *, error_type: str, error: str
) -> None:
    """Record the event at which the projection stopped. Raises Unavailable."""
    async with database.connection() as connection:
        await connection.execute(
            SQL["stop"], lease.log_id, lease.projection, lease.token, position, topic, error, error_type
        )


async def release_lease(database: Database, lease: Lease) -> None:
    """Release the lease. Raises Unavailable; the lease then expires."""
    async with database.connection() as connection:
        await connection.execute(SQL["release"], lease.log_id, lease.projection, lease.token)


async def read_checkpoint(database: Database, log_id: int, projection: str) -> int:
    """Read the position of a checkpoint, 0 if there is none. Raises Unavailable."""
    async with database.connection() as connection:
        position: int | None = await connection.fetchval(SQL["read"], log_id, projection)
    return position or 0
