"""Build the projections whose live rows are of an older version. The older rows serve meanwhile."""

import asyncio
from collections.abc import Sequence

from ledger.domain.recording import EventMapper
from projections.catalogue import all_projections
from projections.projection import Projection
from projections.rebuilding.connections import connect, find_live_schema
from projections.rebuilding.errors import AlreadyUpgraded, ArchivesRequired, BuildInProgress, BuildRefused
from projections.rebuilding.preconditions import is_older, read_stored_versions
from projections.rebuilding.rebuild import RebuildResult, Report, rebuild_projection

POLL_SECONDS = 1.0
"""How often to check whether another process has finished the same build."""


async def upgrade_projections(dsn: str, *, holder: str, report: Report) -> Sequence[RebuildResult]:
    """Rebuild every projection whose rows are of an older version, as the owner of the tables.

    If several processes start at once, one builds and the others wait. Raises BuildRefused, Unavailable.
    """
    built = []
    while (projection := await _find_older(dsn)) is not None:
        report(f"building version {projection.version} of {projection.name}; the older version serves meanwhile")
        try:
            result = await rebuild_projection(
                dsn,
                projection,
                holder=holder,
                report=report,
                only_if_older=True,
            )
            built.append(result)
        except ArchivesRequired as error:
            msg = (
                f"{error} Run 'token-ledger projections rebuild {projection.name} --archives FOLDER'; until then the "
                "older version serves."
            )
            raise BuildRefused(msg) from error
        except BuildInProgress as error:
            report(str(error))
            await asyncio.sleep(POLL_SECONDS)
        except AlreadyUpgraded:  # another process has just finished it
            continue
    return built


async def _find_older(dsn: str) -> Projection | None:
    async with connect(dsn) as connection:
        stored = await read_stored_versions(connection, await find_live_schema(connection))
    return next((projection for projection in all_projections(EventMapper()) if is_older(projection, stored)), None)
