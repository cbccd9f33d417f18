"""What the audit commands have in common: whom they ask, decided from flags and environment."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import typer

from api.cli import flags as shared
from api.cli.audit import flags
from api.cli.audit.credentials import Credentials, find_credentials
from api.cli.audit.log_source import LogSource
from api.cli.audit.source import AuditSource
from api.cli.context import open_service, with_flags
from api.cli.output import print_warning
from api.operations.errors import UsageError
from api.service.settings import load_settings
from ledger.domain.clock import utc_now
from ledger.use_cases.issuer import IssuerIdentifier

SHARED_FLAGS: dict[str, Any] = {
    "url": flags.Url,
    "audit_client_id": flags.AuditClientId,
    "audit_secret_file": flags.AuditSecretFile,
    "audit_token_file": flags.AuditTokenFile,
    "dsn": shared.Dsn,
    "embedded": shared.Embedded,
    "issuers": shared.Issuers,
    "issuer": shared.IssuerChoice,
    "context": typer.Context,
}
OF_A_DATABASE = ("dsn", "embedded")
HERE = {"localhost", "127.0.0.1", "::1"}


def audit_command(command: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Make a command of a coroutine function whose first argument is an AuditSource.

    Ctrl-C ends a command that follows as it is meant to end: with 0.
    """

    async def ask(given: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        async with open_source(given) as source:
            await command(source, **values)

    def run(given: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        try:
            asyncio.run(ask(given, values))
        except KeyboardInterrupt:
            if not values.get("follow"):
                raise

    return with_flags(command, SHARED_FLAGS, run)


@asynccontextmanager
async def open_source(given: Mapping[str, Any]) -> AsyncIterator[AuditSource]:
    """The service that `url` names, else the database of the settings. Raises as opening that does."""
    url = _chosen_url(given)
    if url is None:
        settings = load_settings({name: given[name] for name in (*OF_A_DATABASE, "issuers")})
        async with open_service(settings, given["issuer"]) as (service, _):
            yield LogSource(service.issuers[0], service.catch_up, clock=utc_now)
        return
    credentials = find_credentials(
        os.environ,
        client_id=given["audit_client_id"],
        secret_file=given["audit_secret_file"],
        token_file=given["audit_token_file"],
    )
    async with _over_http(url, credentials) as source:
        yield source


@asynccontextmanager
async def _over_http(url: str, credentials: Credentials) -> AsyncIterator[AuditSource]:
    from api.cli.audit.http_connection import connect  # noqa: PLC0415 (the HTTP client, slow to load, and seldom needed)
    from api.cli.audit.http_source import HttpSource  # noqa: PLC0415

    async with connect(url, credentials) as connection:
        yield HttpSource(connection)


def _chosen_url(given: Mapping[str, Any]) -> str | None:
    """The URL to ask, if it is a URL. A flag wins over a variable, also where they name different things."""
    url: str | None = given["url"]
    if not url:
        return None
    if database := [f"--{name}" for name in OF_A_DATABASE if given[name] is not None]:
        # By name: typer brings a click of its own, in some releases under another name.
        if given["context"].get_parameter_source("url").name == "ENVIRONMENT":
            return None
        msg = f"--url (TOKEN_LEDGER_URL) and {database[0]} name two places to ask: give one of them"
        raise UsageError(msg)
    return _checked(url.rstrip("/"))


def _checked(url: str) -> str:
    if "@" in url:  # what stands before it is not repeated
        msg = "--url (TOKEN_LEDGER_URL): must have no user and no password; see TOKEN_LEDGER_AUDIT_CLIENT_ID"
        raise UsageError(msg)
    try:
        IssuerIdentifier(url)
    except ValueError as error:
        msg = f"--url (TOKEN_LEDGER_URL): {error}"
        raise UsageError(msg) from None
    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname not in HERE:
        print_warning(f"{url} is asked without encryption: whoever is on the way reads the token and the answers")
    return url
