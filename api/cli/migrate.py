"""`token-ledger migrate`: bring the database to the schema of this release."""

import asyncio

from api.cli import flags
from api.cli.database import migrate as apply_migrations
from api.cli.database import provide_database
from api.cli.output import print_json, print_result
from api.operations.errors import UsageError
from api.service.settings import Settings, load_settings, setting_name
from migrations.head import newest_revision


def migrate(
    *,
    owner_dsn: flags.OwnerDsn = None,
    dsn: flags.Dsn = None,
    embedded: flags.Embedded = None,
    service_role: flags.ServiceRole = None,
    json: flags.Json = False,
) -> None:
    """Apply the migrations that are missing, as the owner of the tables. With nothing to do it does nothing.

    It then builds the projections that this release has in a newer version; the older serves meanwhile.
    --dsn is taken where --owner-dsn is not given; it must then be the owner's.
    """
    settings = load_settings({"owner_dsn": owner_dsn, "dsn": dsn, "embedded": embedded, "service_role": service_role})
    applied = _apply(settings)
    revision = newest_revision()
    if json:
        print_json({"applied": applied, "revision": revision})
    elif applied:
        print_result(f"applied {', '.join(applied)}; the database is at revision {revision}")
    else:
        print_result(f"nothing to apply; the database is at revision {revision}")


def _apply(settings: Settings) -> list[str]:
    if settings.embedded is not None:
        with provide_database(settings) as dsns:
            return _run(dsns.owner_dsn or dsns.service_dsn, settings)
    dsn = settings.owner_dsn or settings.dsn
    if dsn is None:
        msg = f"no database: give {setting_name('owner_dsn')} or {setting_name('embedded')}"
        raise UsageError(msg)
    return _run(dsn.get_secret_value(), settings)


def _run(owner_dsn: str, settings: Settings) -> list[str]:
    return list(asyncio.run(apply_migrations(owner_dsn, settings.service_role)))
