"""Choose where the audit commands read: a database, or a service over HTTP."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import typer

from api.cli.audit.credentials import find_credentials
from api.cli.audit.log_source import LogSource
from api.cli.audit.source import AuditSource
from api.cli.context import DatabaseFlags, open_service
from api.cli.output import print_warning
from api.operations.errors import UsageError
from ledger.domain.clock import utc_now
from ledger.use_cases.issuer import IssuerIdentifier

T = TypeVar("T")

LOOPBACK_HOSTS = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True)
class AuditFlags:
    """The flags that choose where to read, as given. `context` tells flags from environment variables."""

    context: typer.Context
    url: str | None
    client_id: str | None
    secret_file: Path | None
    token_file: Path | None
    database: DatabaseFlags


def run_on_source(given: AuditFlags, work: Callable[[AuditSource], Awaitable[T]]) -> T:
    """Open the source that the flags choose, await `work` on it and return its result.

    Raises SettingsError, UsageError, Unavailable.
    """

    async def run() -> T:
        async with open_source(given) as source:
            return await work(source)

    return asyncio.run(run())


@asynccontextmanager
async def open_source(given: AuditFlags) -> AsyncIterator[AuditSource]:
    """Yield the service at `url`, or else the configured database."""
    url = _choose_url(given)
    if url is None:
        settings = given.database.load_settings()
        async with open_service(settings, given.database.issuer) as (service, _):
            yield LogSource(service.issuers[0], service.catch_up, clock=utc_now)
        return
    from api.cli.audit.http_connection import connect  # noqa: PLC0415 (imports the HTTP client, which is slow)
    from api.cli.audit.http_source import HttpSource  # noqa: PLC0415

    credentials = find_credentials(
        os.environ, client_id=given.client_id, secret_file=given.secret_file, token_file=given.token_file
    )
    async with connect(url, credentials) as connection:
        yield HttpSource(connection)


def _choose_url(given: AuditFlags) -> str | None:
    """Return the URL if a service is chosen. A flag takes precedence over a variable that names another place."""
    if not given.url:
        return None
    named = {"--dsn": given.database.dsn, "--embedded": given.database.embedded}
    if database := [flag for flag, value in named.items() if value is not None]:
        # Compared by name, because typer vendors click in some releases.
        source = given.context.get_parameter_source("url")
        if source is not None and source.name == "ENVIRONMENT":
            return None
        msg = f"--url (TOKEN_LEDGER_URL) and {database[0]} exclude each other: give one of them"
        raise UsageError(msg)
    return _check_url(given.url.rstrip("/"))


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
