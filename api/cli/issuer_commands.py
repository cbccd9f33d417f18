"""What commands that work on one issuer have in common: its flags, the open database, the issuer, who acts."""

import asyncio
import functools
import inspect
import os
import pwd
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from api.cli import flags
from api.cli.database import open_database, service_config
from api.cli.exit_codes import CommandError, ExitCode
from api.service import start_service
from api.settings import Settings, load_settings
from ledger.errors import Unavailable
from ledger.issuer import Issuer, IssuerIdentifier
from ledger.recording import Cause

SHARED_FLAGS: dict[str, Any] = {
    "dsn": flags.Dsn,
    "embedded": flags.Embedded,
    "issuers": flags.Issuers,
    "issuer": flags.IssuerChoice,
    "actor": flags.Actor,
}


@dataclass(frozen=True)
class Desk:
    """Where an operator works: one issuer, and the cause that every change is recorded with."""

    issuer: Issuer
    cause: Cause


def issuer_command(command: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Make a command of a coroutine function whose first argument is a Desk.

    It gets the shared flags; calling it opens the database and runs the coroutine. Errors are those of `load_settings`,
    `choose_issuer` and `open_database`, and Unavailable.
    """
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in SHARED_FLAGS.items()
    ]
    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own] + shared

    @functools.wraps(command)
    def run(**values: Any) -> None:
        given = {name: values.pop(name) for name in SHARED_FLAGS}
        settings = load_settings({name: given[name] for name in ("dsn", "embedded", "issuers")})
        chosen = choose_issuer(settings.issuer_identifiers(), given["issuer"])
        cause = Cause(actor=f"operator:{given['actor'] or login_name()}")
        asyncio.run(_at_desk(settings, chosen, cause, lambda desk: command(desk, **values)))

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what typer reads the flags from
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


async def _at_desk(
    settings: Settings, chosen: IssuerIdentifier, cause: Cause, work: Callable[[Desk], Awaitable[None]]
) -> None:
    async with open_database(settings) as database:
        service = await start_service(service_config(settings, database.service_dsn, (chosen,)))
        try:
            problems = await service.problems()
            if problems:
                raise Unavailable("\n".join(problems))
            await work(Desk(service.issuers[0], cause))
        finally:
            await service.close()


def choose_issuer(configured: tuple[IssuerIdentifier, ...], choice: str | None) -> IssuerIdentifier:
    """The issuer an operator means, by URL, path or log name. Raises CommandError listing what there is."""
    if choice is None and len(configured) == 1:
        return configured[0]
    for identifier in configured:
        if choice in {identifier.url, identifier.path, identifier.log_name}:
            return identifier
    what = "several issuers are configured" if choice is None else f"no issuer {choice!r} is configured"
    known = ", ".join(identifier.url for identifier in configured)
    msg = f"{what}: choose one with --issuer from {known}"
    raise CommandError(msg, ExitCode.USAGE)


def login_name() -> str:
    """The name of the user this process runs as; the number where the system has no name for it."""
    uid = os.getuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
