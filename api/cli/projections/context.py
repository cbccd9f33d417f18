"""What the commands that build, verify and replay projections have in common: the database, the log, the projection."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

import asyncpg
import typer
import uvloop

from api.cli import flags
from api.cli.context import choose_issuer, with_flags
from api.cli.database import Dsns, connection_errors, open_database
from api.operations.errors import OperationError, UsageError
from api.service.settings import Settings, load_settings, setting_name
from ledger.domain.errors import NoLog
from ledger.domain.recording import EventMapper
from ledger.postgres.statements import load_statements
from projections.catalogue import find_projection
from projections.projection import Projection

SQL = load_statements("ledger.postgres", "event_log.sql")
CONNECT_SECONDS = 10.0

NICE = 10
"""How far this process gives way to others of the machine, the service among them."""

T = TypeVar("T")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The projection.")]

SHARED_FLAGS: dict[str, Any] = {
    "owner_dsn": flags.OwnerDsn,
    "dsn": flags.Dsn,
    "embedded": flags.Embedded,
    "issuers": flags.Issuers,
    "issuer": flags.IssuerChoice,
}


@dataclass(frozen=True)
class ProjectionDesk:
    """Where an operator works on one projection: with the DSN of a role that may. `issuer` is the choice, if any."""

    dsn: str = field(repr=False)
    projection: Projection
    settings: Settings
    issuer: str | None

    async def log_id(self) -> int:
        """The number of the issuer's log. Raises OperationError, NoLog, Unavailable."""
        name = choose_issuer(self.settings.issuer_identifiers(), self.issuer).log_name
        with connection_errors():
            connection = await asyncpg.connect(self.dsn, timeout=CONNECT_SECONDS)
            try:
                log_id: int | None = await connection.fetchval(SQL["find_log"], name)
            finally:
                await connection.close()
        if log_id is None:
            msg = f"there is no log {name!r} in this database: nothing was ever recorded for this issuer"
            raise NoLog(msg)
        return log_id


def projection_command(command: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Make a command of a coroutine function whose arguments begin with a ProjectionDesk and `name`, the projection's.

    It gets the shared flags; errors are those of `load_settings` and `run_on_projection`.
    """

    def run(given: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        settings = load_settings({name: given[name] for name in ("owner_dsn", "dsn", "embedded", "issuers")})

        async def work(dsn: str, projection: Projection) -> None:
            await command(ProjectionDesk(dsn, projection, settings, given["issuer"]), **values)

        run_on_projection(settings, values["name"], work)

    return with_flags(command, SHARED_FLAGS, run)


def run_on_projection(settings: Settings, name: str, work: Callable[[str, Projection], Awaitable[T]]) -> T:
    """Do what takes long on the database of the settings, as the owner of its tables where that one's DSN is given.

    Raises UnknownProjection, OperationError, Unavailable. A role that may not do it is told which role may.
    """
    projection = find_projection(name, EventMapper())
    os.nice(NICE)

    async def run() -> T:
        if settings.embedded is not None:
            async with open_database(settings, build=False) as database:
                return await work(_strongest(database), projection)
        dsn = settings.owner_dsn or settings.dsn
        if dsn is None:
            msg = f"no database: give {setting_name('owner_dsn')}, {setting_name('dsn')} or {setting_name('embedded')}"
            raise UsageError(msg)
        return await work(dsn.get_secret_value(), projection)

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(run())
    except asyncpg.InsufficientPrivilegeError as error:
        msg = f"the role may not do this ({error}): give the owner's DSN with {setting_name('owner_dsn')}"
        raise OperationError(msg) from None


def _strongest(database: Dsns) -> str:
    return database.owner_dsn or database.service_dsn
