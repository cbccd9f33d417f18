"""The context of commands that work on one issuer: its service, its log, and the cause of recorded changes."""

import asyncio
import os
import pwd
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

import asyncpg

from api.cli.audit.log_source import LogSource
from api.cli.flags import SharedFlags
from api.cli.output import print_note
from api.operations.database import open_database, open_service, service_config
from api.operations.errors import OperationError, UsageError
from api.service.composition import Service
from api.service.settings import Settings, setting_name
from ledger.domain.clock import utc_now
from ledger.domain.recording import Cause
from ledger.postgres.logs import Log
from ledger.use_cases.issuer import Issuer, IssuerIdentifier

T = TypeVar("T")


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


def run_on_issuer(flags: SharedFlags, work: Callable[[CommandContext], Awaitable[T]], *, as_owner: bool = False) -> T:
    """Open the database, await `work` on the chosen issuer and return its result.

    `as_owner` connects as the owner of the tables if its DSN is known. Raises SettingsError, UsageError, Unavailable.
    """
    settings = flags.load_settings()
    identifier = choose_issuer(settings.issuer_identifiers(), flags.issuer)
    cause = Cause(actor=f"operator:{flags.actor or login_name()}")

    async def run() -> T:
        async with open_issuers(settings, (identifier,), as_owner=as_owner) as service:
            return await work(CommandContext(service, identifier, cause))

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
async def open_issuers(
    settings: Settings, issuers: tuple[IssuerIdentifier, ...], *, as_owner: bool = False
) -> AsyncIterator[Service]:
    """Yield a service for these issuers, over the configured database. Raises UsageError, Unavailable."""
    async with open_database(settings, print_note, as_owner=as_owner) as dsns:
        service_dsn = dsns.most_privileged if as_owner else dsns.service_dsn
        config = service_config(settings, replace(dsns, service_dsn=service_dsn), issuers)
        async with open_service(config) as service:
            yield service


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
