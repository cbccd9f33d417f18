"""Building what this release has in a newer version than the database, beside the older rows, which serve meanwhile."""

import asyncio
from collections.abc import Sequence

from ledger.domain.recording import EventMapper
from projections.catalogue import all_projections
from projections.projection import Projection
from projections.rebuilding.connections import connect, find_live_schema
from projections.rebuilding.errors import AlreadyUpgraded, ArchivesRequired, BuildInProgress, BuildRefused
from projections.rebuilding.rebuild import RebuildResult, Tell, is_older, rebuild_projection, stored_versions

LOOK_SECONDS = 1.0
"""How often to see whether another process that builds the same has finished."""


async def upgrade_projections(dsn: str, *, holder: str, tell: Tell) -> Sequence[RebuildResult]:
    """Build and swap in, as the owner of the tables, every projection whose rows are of an older version.

    Several processes may start at once: one builds, the others wait for it and find nothing left to do. Raises
    BuildRefused, Unavailable.
    """
    built = []
    while (projection := await _first_older(dsn)) is not None:
        tell(f"building {projection.name}, version {projection.version}; the older one serves until then")
        try:
            built.append(
                await rebuild_projection(
                    dsn,
                    projection,
                    holder=holder,
                    progress=lambda _events, _done: lambda _more: None,
                    tell=tell,
                    only_if_older=True,
                )
            )
        except ArchivesRequired as error:
            msg = (
                f"{error} Run 'token-ledger projections rebuild {projection.name} --archives FOLDER'; until then the "
                "older version serves."
            )
            raise BuildRefused(msg) from error
        except BuildInProgress as error:
            tell(str(error))
            await asyncio.sleep(LOOK_SECONDS)
        except AlreadyUpgraded:  # another process was done with it just now
            continue
    return built


async def _first_older(dsn: str) -> Projection | None:
    async with connect(dsn) as connection:
        stored = await stored_versions(connection, await find_live_schema(connection))
    return next((projection for projection in all_projections(EventMapper()) if is_older(projection, stored)), None)
