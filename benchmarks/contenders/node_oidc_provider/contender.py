"""oidc-provider, a library for Node.js, with an adapter for PostgreSQL and a worker process a processor."""

import asyncio
import filecmp
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from benchmarks.contenders.contender import (
    CLIENT_ID,
    CLIENT_SECRET,
    RESOURCE_SERVER_ID,
    RESOURCE_SERVER_SECRET,
    SCOPES,
    Database,
)
from benchmarks.contenders.running_server import RunningServer
from benchmarks.contenders.starting import run, started, wait_until_answers

HERE = Path(__file__).parent
MANIFEST, LOCK = "package.json", "package-lock.json"
SOURCES = ("server.js", "configuration.js", "adapter.js")
INSTALL_SECONDS = 600.0
CONNECTIONS = 10
"""Of each worker: the default of pg."""

CLIENTS = [
    {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "grant_types": ["client_credentials"],
        "scope": " ".join(SCOPES),
        "redirect_uris": [],
        "response_types": [],
        "token_endpoint_auth_method": "client_secret_post",
    },
    {
        "client_id": RESOURCE_SERVER_ID,
        "client_secret": RESOURCE_SERVER_SECRET,
        "grant_types": [],
        "redirect_uris": [],
        "response_types": [],
        "token_endpoint_auth_method": "client_secret_post",
    },
]


class NodeOidcProvider:
    """A cluster of Node.js processes."""

    name = "node-oidc-provider"
    notes = (
        "A `node:cluster` of oidc-provider on a release of Node.js that it supports (24, long-term), with "
        "`NODE_ENV=production` and an adapter over `pg`: one table for all models, as in the SQL adapters contributed "
        "to it, prepared statements, ten connections a worker. Its two clients are in its configuration, so that "
        "authenticating one reads no database, and the secret is compared as it is. Without a hint it looks for a "
        "token in two places, with two statements at once. It logs errors only. It needs some thousand requests "
        "before the compiler has done its work."
    )

    def set_up(self, folder: Path) -> Mapping[str, str]:
        folder.mkdir(parents=True, exist_ok=True)
        installed = folder / "installed"
        if not installed.exists() or not filecmp.cmp(HERE / LOCK, folder / LOCK, shallow=False):
            installed.unlink(missing_ok=True)
            for name in (MANIFEST, LOCK):
                shutil.copy(HERE / name, folder)
            command = ["npm", "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"]
            run(command, folder=folder, seconds=INSTALL_SECONDS)
            installed.touch()
        pinned: dict[str, str] = json.loads((HERE / MANIFEST).read_text())["dependencies"]
        node = run([_node(folder), "--version"], seconds=INSTALL_SECONDS)
        return {**pinned, "Node.js": node.strip().removeprefix("v")}

    @contextmanager
    def running(self, folder: Path, database: Database, *, port: int, processes: int) -> Iterator[RunningServer]:
        for name in SOURCES:
            shutil.copy(HERE / name, folder)
        asyncio.run(_make_schema(database))
        environment = {
            "NODE_ENV": "production",
            "DATABASE_URL": database.url,
            "CONNECTIONS": str(CONNECTIONS),
            "PORT": str(port),
            "WORKERS": str(processes),
            "CLIENTS": json.dumps(CLIENTS),
        }
        address = f"http://127.0.0.1:{port}"
        log = folder / "server.log"
        with started([_node(folder), "server.js"], log=log, environment=environment, folder=folder) as process:
            wait_until_answers(f"{address}/.well-known/openid-configuration", process, log)
            yield RunningServer(
                process.pid,
                token_url=f"{address}/token",
                introspection_url=f"{address}/token/introspection",
                revocation_url=f"{address}/token/revocation",
            )


def _node(folder: Path) -> str:
    """The Node.js installed with it, which it supports; the machine's where there is none for its platform."""
    installed = folder / "node_modules/.bin/node"
    return str(installed) if installed.exists() else "node"


async def _make_schema(database: Database) -> None:
    connection = await asyncpg.connect(database.url)
    try:
        await connection.execute((HERE / "schema.sql").read_text())
    finally:
        await connection.close()
