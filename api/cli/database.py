"""The database a command works on: one that is connected to, or an embedded one for as long as the command runs."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from api.cli.output import print_note
from api.embedded_postgres import EmbeddedPostgres
from api.operations.errors import UsageError
from api.service.composition import ServiceConfig, get_process_name
from api.service.settings import Settings, setting_name
from ledger.domain.errors import Unavailable
from ledger.postgres.database import CONNECTION_ERRORS
from ledger.use_cases.issuer import IssuerIdentifier
from migrations.head import newest_revision, read_revision
from projections.rebuilding.upgrade import upgrade_projections


@dataclass(frozen=True)
class Dsns:
    """How to reach a database: as the service, and as the owner of its tables where that is known."""

    service_dsn: str
    owner_dsn: str | None
    directory: Path | None = None


@contextmanager
def provide_database(settings: Settings) -> Iterator[Dsns]:
    """The database of the settings; an embedded one runs until the end, unless others use it too.

    Raises OperationError when no database is named.
    """
    if settings.embedded is not None:
        directory = settings.embedded.expanduser().absolute()
        with EmbeddedPostgres(directory) as embedded:
            yield Dsns(embedded.service_dsn, embedded.owner_dsn, directory)
        return
    if settings.dsn is None:
        msg = f"no database: give {setting_name('dsn')} to connect to one or {setting_name('embedded')} to run one here"
        raise UsageError(msg)
    owner_dsn = settings.owner_dsn.get_secret_value() if settings.owner_dsn else None
    yield Dsns(settings.dsn.get_secret_value(), owner_dsn)


@asynccontextmanager
async def open_database(settings: Settings, *, build: bool = True) -> AsyncIterator[Dsns]:
    """provide_database, with an embedded one migrated, as `migrate` does it. Raises OperationError, Unavailable."""
    with provide_database(settings) as dsns:
        if dsns.directory is not None and dsns.owner_dsn is not None:
            await migrate(dsns.owner_dsn, settings.service_role, build=build)
        yield dsns


async def migrate(owner_dsn: str, service_role: str, *, build: bool = True) -> Sequence[str]:
    """Apply the migrations that are missing, then build the projections that this release has in a newer version.

    Without `build` that is left to whoever knows where the archives of a log are.

    Returns the revisions. Raises Unavailable, MigrationError or BuildRefused.
    """
    applied: Sequence[str] = ()
    with connection_errors():
        if await read_revision(owner_dsn) != newest_revision():
            from migrations.runner import upgrade  # noqa: PLC0415 (slow to load, and seldom needed)

            applied = await upgrade(owner_dsn, service_role=service_role)
    if build:
        await upgrade_projections(owner_dsn, holder=get_process_name(), tell=print_note)
    return applied


@contextmanager
def connection_errors() -> Iterator[None]:
    """Turn errors of connecting into Unavailable. The server's words may quote a DSN, so only their kind is kept."""
    try:
        yield
    except CONNECTION_ERRORS as error:
        if isinstance(error, ValueError):
            raise
        msg = (
            f"the database cannot be reached ({type(error).__name__}): "
            "check that it runs, and host, port, database, user and password of the DSN"
        )
        raise Unavailable(msg) from None


def service_config(settings: Settings, dsn: str, issuers: tuple[IssuerIdentifier, ...]) -> ServiceConfig:
    """The configuration of a service over this database."""
    return ServiceConfig(
        dsn=dsn,
        issuers=issuers,
        revision=newest_revision(),
        max_waiting_appends=settings.max_waiting_appends,
        pool_size=settings.pool_size,
    )
