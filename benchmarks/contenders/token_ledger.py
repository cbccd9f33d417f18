"""Ours, as `docs/how-to` has an operator run it."""

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
from benchmarks.contenders.starting import answering, family, run
from benchmarks.ports import HOST

PATH = "/ms-auth-server"
LOG = PATH.strip("/")
AUDITOR_ID, AUDITOR_SECRET = "auditor", "auditor-secret"
COMMAND = (sys.executable, "-m", "api.cli.main")
COMMAND_SECONDS = 120.0
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
class TokenLedgerRunning:
    """The service with its workers, listening on `port`."""

    port: int
    pid: int

    @property
    def pids(self) -> list[int]:
        return family(self.pid)

    def issue(self) -> FormRequest:
        return self._credentials(CLIENT_ID, CLIENT_SECRET, " ".join(SCOPES))

    def introspect(self, token: str) -> FormRequest:
        return self._form("introspect", RESOURCE_SERVER_ID, RESOURCE_SERVER_SECRET, token=token)

    def revoke(self, token: str) -> FormRequest:
        return self._form("revoke", CLIENT_ID, CLIENT_SECRET, token=token)

    def issue_to_auditor(self) -> FormRequest:
        """A token with which the audit API may be asked."""
        return self._credentials(AUDITOR_ID, AUDITOR_SECRET, "audit.read")

    def audit_url(self, place: str) -> str:
        """Of the audit API."""
        return f"http://{HOST}:{self.port}{PATH}/audit{place}"

    def _credentials(self, client: str, secret: str, scope: str) -> FormRequest:
        return self._form("token", client, secret, grant_type="client_credentials", scope=scope)

    def _form(self, endpoint: str, client: str, secret: str, **fields: str) -> FormRequest:
        form = {"client_id": client, "client_secret": secret, **fields}
        return FormRequest(f"http://{HOST}:{self.port}{PATH}/oauth2/{endpoint}", urlencode(form))


class TokenLedger:
    """Migrated as the owner, served as a role that may not change what is recorded."""

    name = "token-ledger"
    notes = (
        "`token-ledger serve` with a DSN, its tables migrated by another role, clients from a file with secrets kept "
        "as argon2id. It logs a line of JSON for every request to a file, counts for Prometheus, and keeps the audit "
        "history up to date in the same processes. Every introspection reads the database; an issuance is answered "
        "after its event is committed."
    )

    def set_up(self, folder: Path) -> Mapping[str, str]:
        folder.mkdir(parents=True, exist_ok=True)
        libraries = {library: version(library) for library in LIBRARIES}
        return {"token-ledger": version("token-ledger"), "Python": platform.python_version(), **libraries}

    @contextmanager
    def running(self, folder: Path, database: Database, *, port: int, processes: int) -> Iterator[TokenLedgerRunning]:
        service = migrated(database)
        environment = {"TOKEN_LEDGER_DSN": service.url, "TOKEN_LEDGER_ISSUERS": f"http://localhost:{port}{PATH}"}
        clients = folder / "clients.toml"
        clients.write_text(CLIENTS)
        run([*COMMAND, "clients", "apply", str(clients)], environment=environment, seconds=COMMAND_SECONDS)
        ready, log = f"http://{HOST}:{port}/readyz", folder / "service.log"
        command = [*COMMAND, "serve", "--port", str(port), "--workers", str(processes), "--log-format", "json"]
        with answering(command, ready, log=log, environment=environment) as pid:
            yield TokenLedgerRunning(port, pid)


def migrated(database: Database) -> Database:
    """Bring the tables up to date, and return the database as the role that serves."""
    service = asyncio.run(service_role(database))
    as_owner(database, "migrate", "--service-role", service.user, seconds=COMMAND_SECONDS)
    return service


def as_owner(database: Database, *words: str, seconds: float) -> str:
    """What a command prints that works on the database as the role that owns the tables."""
    return run([*COMMAND, *words], environment={"TOKEN_LEDGER_OWNER_DSN": database.url}, seconds=seconds)


async def service_role(database: Database) -> Database:
    """The same database as a new role with no right but to connect."""
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
