"""Our service, run as `docs/how-to` describes."""

import asyncio
import platform
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlencode

import asyncpg

from benchmarks.contenders.contender import (
    CLIENT_ID,
    CLIENT_SECRET,
    RESOURCE_SERVER_ID,
    RESOURCE_SERVER_SECRET,
    SCOPES,
    Database,
    FormRequest,
)
from benchmarks.contenders.form_contender import FormContender
from benchmarks.contenders.processes import run_command, running_process
from benchmarks.ports import HOST

PATH = "/ms-auth-server"
LOG = PATH.strip("/")
AUDITOR_ID, AUDITOR_SECRET = "auditor", "auditor-secret"
COMMAND = (sys.executable, "-m", "api.cli.main")
COMMAND_TIMEOUT_SECONDS = 120.0
LIBRARIES = ("aiohttp", "uvloop", "asyncpg", "eventsourcing", "msgspec")

CLIENTS = f"""\
[clients.{CLIENT_ID}]
grant_types = ["client_credentials"]
scopes = {list(SCOPES)}
access_token_lifetime = 14400
secrets = [{{ value = "{CLIENT_SECRET}" }}]

[clients.{RESOURCE_SERVER_ID}]
introspection = "issuer"
secrets = [{{ value = "{RESOURCE_SERVER_SECRET}" }}]

[clients.{AUDITOR_ID}]
grant_types = ["client_credentials"]
scopes = ["audit.read"]
secrets = [{{ value = "{AUDITOR_SECRET}" }}]
"""


@dataclass(frozen=True)
class RunningTokenLedger(FormContender):
    """The running service; `url` is its issuer."""

    url: str = ""

    def issue_to_auditor(self) -> FormRequest:
        """Request a token for the audit API."""
        client = {"client_id": AUDITOR_ID, "client_secret": AUDITOR_SECRET}
        form = {**client, "grant_type": "client_credentials", "scope": "audit.read"}
        return FormRequest(self.token_url, urlencode(form))

    def audit_url(self, target: str) -> str:
        return f"{self.url}/audit{target}"


class TokenLedger:
    """The owner migrates the tables; the service runs as a role that cannot change events."""

    name = "token-ledger"
    notes = (
        "`token-ledger serve` with a DSN. Another role migrates its tables, and its clients come from a file; their "
        "secrets are stored as argon2id hashes. It writes a JSON log line per request, counts for Prometheus, and "
        "updates the audit history in the same processes. Every introspection reads the database; the response to "
        "an issuance follows the commit of its event."
    )

    def set_up(self, folder: Path) -> Mapping[str, str]:
        folder.mkdir(parents=True, exist_ok=True)
        libraries = {library: version(library) for library in LIBRARIES}
        return {"token-ledger": version("token-ledger"), "Python": platform.python_version(), **libraries}

    @contextmanager
    def serve(self, folder: Path, database: Database, *, port: int, processes: int) -> Iterator[RunningTokenLedger]:
        service = migrate_database(database)
        environment = {"TOKEN_LEDGER_DSN": service.url, "TOKEN_LEDGER_ISSUERS": f"http://localhost:{port}{PATH}"}
        clients = folder / "clients.toml"
        clients.write_text(CLIENTS)
        run_command(
            [*COMMAND, "clients", "apply", str(clients)], environment=environment, seconds=COMMAND_TIMEOUT_SECONDS
        )
        ready, log = f"http://{HOST}:{port}/readyz", folder / "service.log"
        command = [*COMMAND, "serve", "--port", str(port), "--workers", str(processes), "--log-format", "json"]
        with running_process(command, ready, log=log, environment=environment) as pid:
            url = f"http://{HOST}:{port}{PATH}"
            endpoints = (f"{url}/oauth2/{name}" for name in ("token", "introspect", "revoke"))
            yield RunningTokenLedger(pid, *endpoints, url=url)


def migrate_database(database: Database) -> Database:
    """Migrate the tables; return the database as the service role."""
    service = asyncio.run(create_service_role(database))
    run_as_owner(database, "migrate", "--service-role", service.user, seconds=COMMAND_TIMEOUT_SECONDS)
    return service


def run_as_owner(database: Database, *words: str, seconds: float) -> str:
    """Run a command as the role that owns the tables; return its output."""
    return run_command([*COMMAND, *words], environment={"TOKEN_LEDGER_OWNER_DSN": database.url}, seconds=seconds)


async def create_service_role(database: Database) -> Database:
    """Return the database as a role whose only privilege is to connect."""
    service = replace(database, user=f"{database.user}_restricted", password=secrets.token_hex(16))
    connection = await asyncpg.connect(database.url)
    try:
        exists = await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", service.user)
        verb = "ALTER" if exists else "CREATE"
        await connection.execute(f"{verb} ROLE \"{service.user}\" LOGIN PASSWORD '{service.password}'")
    finally:
        await connection.close()
    return service


CONTENDER = TokenLedger()
