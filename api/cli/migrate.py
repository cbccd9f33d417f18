"""`token-ledger migrate`."""

import asyncio
from typing import Annotated

import typer

from api.cli.flags import option
from api.cli.output import print_json, print_note, print_result
from api.operations.database import migrate as apply_migrations
from api.operations.database import provide_database
from migrations.head import newest_revision

Finish = Annotated[
    bool,
    option("--finish", "Revoke what only the older release needs, once no process of it runs any more."),
]


def migrate(ctx: typer.Context, *, finish: Finish = False) -> None:
    """Apply the missing migrations as the owner of the tables. It does nothing if none are missing.

    Afterwards it builds the projections that have a newer version in this release; the older version serves meanwhile.
    Without --owner-dsn, --dsn must name the owner. While processes of the older release still run, they keep their
    privileges; --finish revokes them, and there is no way back to the older release after that.
    """
    settings = ctx.obj.load_settings()
    with provide_database(settings, as_owner=True) as dsns:
        applied = asyncio.run(apply_migrations(dsns.most_privileged, settings, print_note, finish=finish))
    revision = newest_revision()
    if ctx.obj.json:
        print_json({"applied": list(applied), "revision": revision})
    else:
        summary = f"applied {', '.join(applied)}" if applied else "nothing to apply"
        print_result(f"{summary}; the database is at revision {revision}")
