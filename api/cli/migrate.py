"""`token-ledger migrate`."""

import asyncio
from typing import Annotated

import typer

from api.cli.flags import option
from api.cli.output import print_json, print_note, print_result
from api.operations.database import migrate as apply_migrations
from api.operations.database import provide_database
from api.operations.errors import UsageError
from api.service.settings import Settings, setting_name
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
    applied = _migrate_database(ctx.obj.load_settings(), finish=finish)
    revision = newest_revision()
    if ctx.obj.json:
        print_json({"applied": applied, "revision": revision})
    else:
        print_result(f"{_summarize(applied)}; the database is at revision {revision}")


def _migrate_database(settings: Settings, *, finish: bool) -> list[str]:
    if settings.embedded is not None:
        with provide_database(settings) as dsns:
            return _apply(dsns.owner_dsn or dsns.service_dsn, settings, finish=finish)
    dsn = settings.owner_dsn or settings.dsn
    if dsn is None:
        msg = f"no database: give {setting_name('owner_dsn')} or {setting_name('embedded')}"
        raise UsageError(msg)
    return _apply(dsn.get_secret_value(), settings, finish=finish)


def _apply(owner_dsn: str, settings: Settings, *, finish: bool) -> list[str]:
    return list(asyncio.run(apply_migrations(owner_dsn, settings, print_note, finish=finish)))


def _summarize(applied: list[str]) -> str:
    return f"applied {', '.join(applied)}" if applied else "nothing to apply"
