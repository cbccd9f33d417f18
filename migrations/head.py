"""Which revision this release needs, and whether a database is there, without loading the machinery that migrates.

That machinery takes longer to load than most commands take to run.
"""

from pathlib import Path

import asyncpg

CONNECT_SECONDS = 10.0

CURRENT = "SELECT version_num FROM alembic_version"


def newest_revision() -> str:
    """The newest revision of this release: they are numbered, and each file's name begins with its number."""
    folder = Path(__file__).parent / "versions"
    return max(path.name.partition("_")[0] for path in folder.glob("[0-9]*_*.py"))


async def is_at_head(dsn: str) -> bool:
    """Whether the database is at the newest revision. Raises asyncpg's errors and OSError when it is away."""
    connection = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS)
    try:
        revision = await connection.fetchval(CURRENT)
    except asyncpg.UndefinedTableError:
        return False
    finally:
        await connection.close()
    return bool(revision == newest_revision())
