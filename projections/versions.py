"""Compare the versions of the inline projections in a database with those that this release writes.

Rows of two versions are never mixed: an append checks under its lock and records nothing if they differ.
"""

from collections.abc import Sequence

from ledger.domain.recording import EventMapper
from ledger.postgres.database import Connection
from ledger.postgres.statements import load_statements
from projections.catalogue import inline_projections

SQL = load_statements("projections", "versions.sql")


async def version_problems(connection: Connection) -> Sequence[str]:
    """Return why this release may not write the inline projections, a sentence each."""
    inline = inline_projections(EventMapper())
    rows = await connection.fetch(SQL["other"], [p.name for p in inline], [p.version for p in inline])
    return [_problem(row["projection"], row["ours"], row["stored"]) for row in rows]


def _problem(name: str, ours: int, stored: int | None) -> str:
    if stored is None:
        return f"Projection {name} was never built: run 'token-ledger migrate'."
    found = f"Projection {name} has version {stored} in this database, this release has {ours}: "
    if stored > ours:
        return f"{found}this release does not write it. Run the newer release."
    return f"{found}run 'token-ledger migrate', which rebuilds it."
