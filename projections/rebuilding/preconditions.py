"""Check what a rebuild, an upgrade or a verification requires of the database."""

from collections.abc import Mapping

from ledger.postgres.statements import load_statements
from projections.projection import Projection
from projections.rebuilding import tables
from projections.rebuilding.connections import BuildConnection, LiveSchema
from projections.rebuilding.errors import BuildRefused

SQL = load_statements("projections.rebuilding", "builds.sql")


async def check_rebuildable(connection: BuildConnection, live: LiveSchema, projection: Projection) -> None:
    """Raises BuildRefused if this role or this release cannot replace the live tables."""
    names = list(projection.tables)
    not_owned = await connection.fetch(tables.SQL["not_owned"], live.name, names)
    if not_owned:
        msg = (
            f"This role does not own {', '.join(row['name'] for row in not_owned)}: a rebuild needs the role that runs "
            "the migrations. Give its DSN as --owner-dsn."
        )
        raise BuildRefused(msg)
    views = await connection.fetch(tables.SQL["views_on"], live.name, names)
    if views:
        msg = (
            f"The views {', '.join(row['name'] for row in views)} read the live tables and would keep reading the "
            "replaced ones. Drop them, and create them again afterwards."
        )
        raise BuildRefused(msg)
    newest = max((await read_stored_versions(connection, live)).get(projection.name, {0}))
    if newest > projection.version:
        msg = (
            f"Projection {projection.name} has version {newest} in this database, this release has "
            f"{projection.version}: run the newer release."
        )
        raise BuildRefused(msg)


async def check_same_version(connection: BuildConnection, live: LiveSchema, projection: Projection) -> None:
    """Raises BuildRefused if the live rows are of another version than this release writes."""
    for version in (await read_stored_versions(connection, live)).get(projection.name, ()):
        if version != projection.version:
            msg = (
                f"The rows of {projection.name} are of version {version}, this release has version "
                f"{projection.version}: they cannot be compared. Run the release of that version, or rebuild."
            )
            raise BuildRefused(msg)


async def read_stored_versions(connection: BuildConnection, live: LiveSchema) -> Mapping[str, set[int]]:
    """Read the versions of the live rows, by projection."""
    stored: dict[str, set[int]] = {}
    for row in await connection.fetch(live.qualify(SQL["versions"])):
        stored.setdefault(row["projection"], set()).add(row["version"])
    return stored


def is_older(projection: Projection, stored: Mapping[str, set[int]]) -> bool:
    """Whether the live rows must be rebuilt. A new catch-up projection starts by itself, an inline one cannot."""
    found = stored.get(projection.name, set())
    return any(version < projection.version for version in found) or (projection.inline and not found)
