"""Choose where the audit commands read: a database, or a service over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar
from urllib.parse import urlsplit

import typer

from api.cli.audit.credentials import find_credentials
from api.cli.audit.log_source import LogSource
from api.cli.audit.source import AuditSource
from api.cli.context import choose_issuer, open_issuers
from api.cli.output import print_warning
from api.operations.errors import UsageError
from ledger.domain.clock import utc_now
from ledger.use_cases.issuer import IssuerIdentifier

T = TypeVar("T")

LOOPBACK_HOSTS = {"localhost", "127.0.0.1", "::1"}


def run_on_source(ctx: typer.Context, work: Callable[[AuditSource], Awaitable[T]]) -> T:
    """Open the source that the flags choose, await `work` on it and return its result.

    Raises SettingsError, UsageError, Unavailable.
    """

    async def run() -> T:
        async with _open_source(ctx) as source:
            return await work(source)

    return asyncio.run(run())


@asynccontextmanager
async def _open_source(ctx: typer.Context) -> AsyncIterator[AuditSource]:
    flags = ctx.obj
    url = _choose_url(ctx)
    if url is None:
        settings = flags.load_settings()
        async with open_issuers(settings, (choose_issuer(settings.issuer_identifiers(), flags.issuer),)) as service:
            yield LogSource(service.issuers[0], service.catch_up, clock=utc_now)
        return
    from api.cli.audit.http_connection import connect  # noqa: PLC0415 (imports the HTTP client, which is slow)
    from api.cli.audit.http_source import HttpSource  # noqa: PLC0415

    async with connect(url, find_credentials(flags)) as connection:
        yield HttpSource(connection)


def _choose_url(ctx: typer.Context) -> str | None:
    """Return the URL if a service is chosen. A flag takes precedence over a variable that names another place."""
    flags = ctx.obj
    if not flags.url:
        return None
    named = {"--dsn": flags.dsn, "--embedded": flags.embedded}
    if database := [flag for flag, value in named.items() if value is not None]:
        # Compared by name, because typer vendors click in some releases.
        source = ctx.get_parameter_source("url")
        if source is not None and source.name == "ENVIRONMENT":
            return None
        msg = f"--url (TOKEN_LEDGER_URL) and {database[0]} exclude each other: give one of them"
        raise UsageError(msg)
    return _check_url(flags.url.rstrip("/"))


def _check_url(url: str) -> str:
    if "@" in url:  # the message must not quote a password
        msg = "--url (TOKEN_LEDGER_URL): must have no user and no password; see TOKEN_LEDGER_AUDIT_CLIENT_ID"
        raise UsageError(msg)
    try:
        IssuerIdentifier(url)
    except ValueError as error:
        msg = f"--url (TOKEN_LEDGER_URL): {error}"
        raise UsageError(msg) from None
    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname not in LOOPBACK_HOSTS:
        print_warning(f"the connection to {url} is not encrypted: the network can read the token and the responses")
    return url
