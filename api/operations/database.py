"""The database of a command: an existing server, or an embedded one that runs as long as the command."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from api.embedded_postgres import EmbeddedPostgres
from api.operations.errors import UsageError
from api.service.composition import Service, ServiceConfig, get_process_name
from api.service.settings import Settings, setting_name
from ledger.domain.errors import Unavailable
from ledger.postgres.database import CONNECTION_ERRORS
from ledger.use_cases.issuer import IssuerIdentifier
from migrations.head import newest_revision, read_revision
from projections.rebuilding.upgrade import upgrade_projections

Report = Callable[[str], None]
"""Called with one line for the operator."""


@dataclass(frozen=True)
class Dsns:
    """The DSNs of a database: for the service, for the owner of the tables if known, and for the projector.

    `directory` holds the data of an embedded database.
    """

    service_dsn: str
    owner_dsn: str | None
    directory: Path | None = None
    projector_dsn: str | None = None

    @property
    def most_privileged(self) -> str:
        """The DSN of the owner if it is known, else of the service."""
        return self.owner_dsn or self.service_dsn


@contextmanager
def provide_database(settings: Settings, *, as_owner: bool = False) -> Iterator[Dsns]:
    """Yield the DSNs of the configured database; an embedded one stops at the end unless another process uses it.

    `as_owner`: the DSN of the owner alone is enough. Raises UsageError when no database is configured.
    """
    if settings.embedded is not None:
        directory = settings.embedded.expanduser().absolute()
        with EmbeddedPostgres(directory) as embedded:
            yield Dsns(embedded.service_dsn, embedded.owner_dsn, directory, embedded.projector_dsn)
        return
    dsn = settings.dsn or (settings.owner_dsn if as_owner else None)
    if dsn is None:
        names = f"{setting_name('owner_dsn')} or {setting_name('dsn')}" if as_owner else setting_name("dsn")
        msg = f"no database: give {names} to connect to one or {setting_name('embedded')} to run one here"
        raise UsageError(msg)
    owner_dsn = settings.owner_dsn.get_secret_value() if settings.owner_dsn else None
    projector_dsn = settings.projector_dsn.get_secret_value() if settings.projector_dsn else None
    yield Dsns(dsn.get_secret_value(), owner_dsn, projector_dsn=projector_dsn)


@asynccontextmanager
async def open_database(
    settings: Settings, report: Report, *, build: bool = True, as_owner: bool = False
) -> AsyncIterator[Dsns]:
    """Provide the database; an embedded one is migrated first. Raises UsageError, Unavailable."""
    with provide_database(settings, as_owner=as_owner) as dsns:
        if dsns.directory is not None and dsns.owner_dsn is not None:
            await migrate(dsns.owner_dsn, settings, report, build=build)
        yield dsns


async def migrate(
    owner_dsn: str, settings: Settings, report: Report, *, build: bool = True, finish: bool = False
) -> Sequence[str]:
    """Apply missing migrations, then build the projections whose version is newer in this release.

    `build=False` leaves that to a command that knows where the archives are. `finish` revokes what only an older
    release needs. Returns the applied revisions.
    Raises Unavailable, MigrationError or BuildRefused.
    """
    applied: Sequence[str] = ()
    with connection_errors():
        if finish or await read_revision(owner_dsn) != newest_revision():
            from migrations.runner import upgrade  # noqa: PLC0415 (slow to import and seldom needed)

            applied = await upgrade(
                owner_dsn,
                service_role=settings.service_role,
                projector_role=settings.projector_role,
                finish=finish,
            )
    if build:
        await upgrade_projections(owner_dsn, holder=get_process_name(), report=report)
    return applied


@contextmanager
def connection_errors() -> Iterator[None]:
    """Turn connection errors into Unavailable. Their text may quote a DSN, so only the type is kept."""
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


def service_config(
    settings: Settings, dsns: Dsns, issuers: tuple[IssuerIdentifier, ...], *, restricted: bool = False
) -> ServiceConfig:
    """Build the configuration of a service over this database; a restricted one refuses a role that is too powerful."""
    return ServiceConfig(
        dsn=dsns.service_dsn,
        projector_dsn=dsns.projector_dsn,
        restricted=restricted,
        issuers=issuers,
        revision=newest_revision(),
        max_waiting_appends=settings.max_waiting_appends,
        pool_size=settings.pool_size,
    )


@asynccontextmanager
async def open_service(config: ServiceConfig) -> AsyncIterator[Service]:
    """Yield a service over a database that is reachable and migrated. Raises Unavailable if it is not."""
    async with Service(config) as service:
        if problems := await service.problems():
            raise Unavailable("\n".join(problems))
        yield service
