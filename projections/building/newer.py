"""Building what this release has in a newer version than the database, beside the older rows, which serve meanwhile."""

import asyncio
from collections.abc import Sequence

from ledger.postgres.statements import load_statements
from ledger.recording import EventMapper
from projections.building.connections import OwnConnection, connect, find_live
from projections.building.errors import BuildUnderWay
from projections.building.rebuild import Rebuilt, Tell, rebuild
from projections.catalogue import declared
from projections.projection import Projection

SQL = load_statements("projections.building", "builds.sql")

LOOK_SECONDS = 1.0
"""How often to see whether another process that builds the same has finished."""


async def build_newer(dsn: str, *, holder: str, tell: Tell) -> Sequence[Rebuilt]:
    """Build and swap in, as the owner of the tables, every projection whose rows are of an older version.

    Several processes may start at once: one builds, the others wait for it and find nothing left to do. Raises
    BuildRefused, Unavailable.
    """
    built = []
    while (projection := await _first_older(dsn)) is not None:
        tell(f"building {projection.name}, version {projection.version}; the older one serves until then")
        try:
            built.append(
                await rebuild(
                    dsn,
                    projection,
                    holder=holder,
                    progress=lambda _events, _done: lambda _more: None,
                    tell=tell,
                    restart=False,
                )
            )
        except BuildUnderWay as error:
            tell(str(error))
            await asyncio.sleep(LOOK_SECONDS)
    return built


async def _first_older(dsn: str) -> Projection | None:
    async with connect(dsn) as connection:
        stored = await _stored_versions(connection)
    for declaration in declared():
        found = stored.get(declaration.name, set())
        # One that follows begins by itself; an inline one has to be built from the log that there is.
        if any(version < declaration.version for version in found) or (declaration.inline and not found):
            return declaration(EventMapper())
    return None


async def _stored_versions(connection: OwnConnection) -> dict[str, set[int]]:
    live = await find_live(connection)
    stored: dict[str, set[int]] = {}
    for row in await connection.fetch(live(SQL["versions"])):
        stored.setdefault(row["projection"], set()).add(row["version"])
    return stored
