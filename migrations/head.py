"""Compare a database's revision with this release's, without importing Alembic.

Importing Alembic takes longer than most commands take to run.
"""

from collections.abc import Sequence
from pathlib import Path

import asyncpg

CONNECT_TIMEOUT_SECONDS = 10.0


def list_revisions() -> Sequence[str]:
    """All revisions of this release, oldest first: the number at the start of each file name."""
    folder = Path(__file__).parent / "versions"
    return sorted(path.name.partition("_")[0] for path in folder.glob("[0-9]*_*.py"))


def newest_revision() -> str:
    """The newest revision of this release."""
    return list_revisions()[-1]


async def read_revision(dsn: str) -> str | None:
    """The revision of a database, None if it was never migrated. Raises asyncpg's errors and OSError."""
    connection = await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_SECONDS)
    try:
        # Querying a missing table would write an error to the server's log.
        if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
            return None
        revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
        return revision
    finally:
        await connection.close()
