"""Which version of each inline projection its rows are of, against the version that this release writes.

The two are not mixed: an append looks under its lock and records nothing when they differ.
"""

from collections.abc import Sequence

from ledger.domain.recording import EventMapper
from ledger.postgres.database import Connection
from ledger.postgres.statements import load_statements
from projections.catalogue import inline_projections

SQL = load_statements("projections", "versions.sql")


async def version_problems(connection: Connection) -> Sequence[str]:
    """Why this release may not write the inline projections of a database, a sentence each; empty when it may."""
    inline = inline_projections(EventMapper())
    rows = await connection.fetch(SQL["other"], [p.name for p in inline], [p.version for p in inline])
    return [_problem(row["projection"], row["ours"], row["stored"]) for row in rows]


def _problem(name: str, ours: int, stored: int | None) -> str:
    if stored is None:
        return f"The projection {name} was never built: run 'token-ledger migrate'."
    what = f"The projection {name} of this database has version {stored}, this release has {ours}: "
    if stored > ours:
        return f"{what}nothing is written to it. Run the newer release."
    return f"{what}run 'token-ledger migrate', which builds it anew."
