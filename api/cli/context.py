"""The context of commands that work on one issuer: its service, its log, and the cause of recorded changes."""

import asyncio
import os
import pwd
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import asyncpg
from pydantic import SecretStr

from api.cli.audit.log_source import LogSource
from api.cli.output import print_note
from api.operations.database import open_database, service_config
from api.operations.errors import OperationError, UsageError
from api.service.composition import Service, start_service
from api.service.settings import Settings, load_settings, setting_name
from ledger.domain.clock import utc_now
from ledger.domain.errors import Unavailable
from ledger.domain.recording import Cause
from ledger.postgres.logs import Log
from ledger.use_cases.issuer import Issuer, IssuerIdentifier

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class DatabaseFlags:
    """The flags that choose a database and an issuer. None means that the flag was not given."""

    dsn: SecretStr | None
    embedded: Path | None
    owner_dsn: SecretStr | None = None
    projector_dsn: SecretStr | None = None
    issuers: str | None = None
    issuer: str | None = None

    def load_settings(self) -> Settings:
        """Load the settings with these flags on top. Raises SettingsError."""
        names = ("dsn", "embedded", "owner_dsn", "projector_dsn", "issuers")
        return load_settings({name: getattr(self, name) for name in names})


@dataclass(frozen=True)
class CommandContext:
    """One issuer over an open database, and the cause that changes are recorded with."""

    service: Service
    identifier: IssuerIdentifier
    cause: Cause

    @property
    def issuer(self) -> Issuer:
        """The use cases of the issuer."""
        return self.service.issuers[0]

    @property
    def log(self) -> Log:
        """The issuer's log."""
        return self.service.log(self.identifier)

    @property
    def projector_log(self) -> Log:
        """The issuer's log for a change of catch-up projections."""
        return self.service.projector_log(self.identifier)

    @property
    def history(self) -> LogSource:
        """The issuer's history, read from the database."""
        return LogSource(self.issuer, self.service.catch_up, clock=utc_now)


def run_on_issuer(
    database: DatabaseFlags,
    work: Callable[[CommandContext], Awaitable[T]],
    *,
    actor: str | None = None,
    as_owner: bool = False,
) -> T:
    """Open the database, await `work` on the chosen issuer and return its result.

    `as_owner` connects as the owner of the tables if its DSN is known. Raises SettingsError, UsageError, Unavailable.
    """
    settings = database.load_settings()
    if as_owner and settings.dsn is None and settings.owner_dsn is not None:
        settings = settings.model_copy(update={"dsn": settings.owner_dsn})

    async def run() -> T:
        async with open_service(settings, database.issuer, as_owner=as_owner) as (service, identifier):
            return await work(CommandContext(service, identifier, Cause(actor=f"operator:{actor or login_name()}")))

    with explain_missing_privilege():
        return asyncio.run(run())


@contextmanager
def explain_missing_privilege() -> Iterator[None]:
    """Turn a refusal of the database into advice. Raises OperationError."""
    try:
        yield
    except asyncpg.InsufficientPrivilegeError as error:
        msg = f"the role may not do this ({error}): give the owner's DSN with {setting_name('owner_dsn')}"
        raise OperationError(msg) from None


@asynccontextmanager
async def open_service(
    settings: Settings, choice: str | None, *, as_owner: bool = False
) -> AsyncIterator[tuple[Service, IssuerIdentifier]]:
    """Yield a service for the chosen issuer alone. Raises UsageError, Unavailable."""
    identifier = choose_issuer(settings.issuer_identifiers(), choice)
    async with open_database(settings, print_note) as dsns:
        service_dsn = (dsns.owner_dsn if as_owner else None) or dsns.service_dsn
        config = service_config(settings, replace(dsns, service_dsn=service_dsn), (identifier,))
        service = await start_service(config)
        try:
            if problems := await service.problems():
                raise Unavailable("\n".join(problems))
            yield service, identifier
        finally:
            await service.close()


def choose_issuer(configured: tuple[IssuerIdentifier, ...], choice: str | None) -> IssuerIdentifier:
    """Find the issuer by URL, path or log name. Raises UsageError, which lists the configured issuers."""
    if choice is None and len(configured) == 1:
        return configured[0]
    for identifier in configured:
        if choice in {identifier.url, identifier.path, identifier.log_name}:
            return identifier
    reason = "several issuers are configured" if choice is None else f"no issuer {choice!r} is configured"
    msg = f"{reason}: choose one with --issuer from {', '.join(identifier.url for identifier in configured)}"
    raise UsageError(msg)


def login_name() -> str:
    """The login name of the user who runs this process, or the user id if it has no name."""
    uid = os.getuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
