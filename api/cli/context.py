"""What commands that work on one issuer have in common: its flags, the open database, the issuer or log, who acts."""

import asyncio
import functools
import inspect
import os
import pwd
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from api.cli import flags
from api.cli.audit.log_source import LogSource
from api.cli.database import open_database, service_config
from api.operations.errors import UsageError
from api.service.composition import Service, start_service
from api.service.settings import Settings, load_settings
from ledger.domain.clock import utc_now
from ledger.domain.errors import Unavailable
from ledger.domain.recording import Cause
from ledger.postgres.logs import Log
from ledger.use_cases.issuer import Issuer, IssuerIdentifier

SHARED_FLAGS: dict[str, Any] = {
    "dsn": flags.Dsn,
    "embedded": flags.Embedded,
    "issuers": flags.Issuers,
    "issuer": flags.IssuerChoice,
    "actor": flags.Actor,
}


@dataclass(frozen=True)
class Desk:
    """Where an operator works: one issuer, and the cause that every change is recorded with.

    `catch_up` brings the catch-up projections to the end of the log, as `Service.catch_up` does.
    """

    issuer: Issuer
    cause: Cause
    catch_up: Callable[[], Awaitable[None]]

    @property
    def history(self) -> LogSource:
        """What auditors are told, from the log itself."""
        return LogSource(self.issuer, self.catch_up, clock=utc_now)


@dataclass(frozen=True)
class LogDesk:
    """Where an operator works on the log of one issuer as a whole."""

    identifier: IssuerIdentifier
    log: Log


@dataclass(frozen=True)
class LogChangeDesk(LogDesk):
    """The same, to change something about it: with who does."""

    cause: Cause


def issuer_command(command: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Make a command of a coroutine function whose first argument is a Desk.

    It gets the shared flags; calling it opens the database and runs the coroutine. Errors are those of `load_settings`,
    `choose_issuer` and `open_database`, and Unavailable.
    """

    def desk(service: Service, _identifier: IssuerIdentifier, actor: str | None) -> Desk:
        cause = Cause(actor=f"operator:{actor or login_name()}")
        return Desk(service.issuers[0], cause, service.catch_up)

    return _command(command, SHARED_FLAGS, desk)


def log_command(command: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """The same for a coroutine function whose first argument is a LogDesk. Nobody acts: there is no --actor."""

    def desk(service: Service, identifier: IssuerIdentifier, _actor: str | None) -> LogDesk:
        return LogDesk(identifier, service.log(identifier))

    return _command(command, {name: flag for name, flag in SHARED_FLAGS.items() if name != "actor"}, desk)


def log_owner_command(command: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """The same as `log_command`, with the rights of the owner of the tables: there is --owner-dsn."""

    async def work(settings: Settings, given: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        async with open_service(settings, given["issuer"], as_owner=True) as (service, identifier):
            await command(LogDesk(identifier, service.log(identifier)), **values)

    def run(given: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        settings = load_settings({name: given[name] for name in ("owner_dsn", "dsn", "embedded", "issuers")})
        if settings.owner_dsn is not None and settings.dsn is None:
            settings = settings.model_copy(update={"dsn": settings.owner_dsn})
        asyncio.run(work(settings, given, values))

    shared = {name: flag for name, flag in SHARED_FLAGS.items() if name != "actor"}
    return with_flags(command, {"owner_dsn": flags.OwnerDsn} | shared, run)


def log_change_command(command: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """The same for a coroutine function whose first argument is a LogChangeDesk."""

    def desk(service: Service, identifier: IssuerIdentifier, actor: str | None) -> LogChangeDesk:
        return LogChangeDesk(identifier, service.log(identifier), Cause(actor=f"operator:{actor or login_name()}"))

    return _command(command, SHARED_FLAGS, desk)


def _command(
    command: Callable[..., Awaitable[None]],
    shared_flags: Mapping[str, Any],
    make_desk: Callable[[Service, IssuerIdentifier, str | None], Any],
) -> Callable[..., None]:
    async def work(settings: Settings, given: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        async with open_service(settings, given["issuer"]) as (service, identifier):
            await command(make_desk(service, identifier, given.get("actor")), **values)

    def run(given: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        settings = load_settings({name: given[name] for name in ("dsn", "embedded", "issuers")})
        asyncio.run(work(settings, given, values))

    return with_flags(command, shared_flags, run)


def with_flags(
    command: Callable[..., Awaitable[None]],
    shared_flags: Mapping[str, Any],
    run: Callable[[Mapping[str, Any], Mapping[str, Any]], None],
) -> Callable[..., None]:
    """A function that typer makes a command of, with the parameters of `command` but its first, and the shared flags.

    Calling it hands `run` the values of the shared flags and those of the command's own.
    """
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in shared_flags.items()
    ]
    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own] + shared

    @functools.wraps(command)
    def called(**values: Any) -> None:
        given = {name: values.pop(name) for name in shared_flags}
        run(given, values)

    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what typer reads flags from
    called.__annotations__ = {p.name: p.annotation for p in parameters}
    return called


@asynccontextmanager
async def open_service(
    settings: Settings, choice: str | None, *, as_owner: bool = False
) -> AsyncIterator[tuple[Service, IssuerIdentifier]]:
    """A service of the chosen issuer alone, over the database of the settings. Raises OperationError, Unavailable.

    `as_owner` has it connect as the owner of the tables, where that one's DSN is known.
    """
    chosen = choose_issuer(settings.issuer_identifiers(), choice)
    async with open_database(settings) as database:
        dsn = (database.owner_dsn if as_owner else None) or database.service_dsn
        service = await start_service(service_config(settings, dsn, (chosen,)))
        try:
            problems = await service.problems()
            if problems:
                raise Unavailable("\n".join(problems))
            yield service, chosen
        finally:
            await service.close()


def choose_issuer(configured: tuple[IssuerIdentifier, ...], choice: str | None) -> IssuerIdentifier:
    """The issuer an operator means, by URL, path or log name. Raises OperationError listing what there is."""
    if choice is None and len(configured) == 1:
        return configured[0]
    for identifier in configured:
        if choice in {identifier.url, identifier.path, identifier.log_name}:
            return identifier
    what = "several issuers are configured" if choice is None else f"no issuer {choice!r} is configured"
    known = ", ".join(identifier.url for identifier in configured)
    msg = f"{what}: choose one with --issuer from {known}"
    raise UsageError(msg)


def login_name() -> str:
    """The name of the user this process runs as; the number where the system has no name for it."""
    uid = os.getuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
