"""oidc-provider, a library for Node.js, with an adapter for PostgreSQL and a worker process a processor."""

import asyncio
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
from benchmarks.contenders.installing import installing
from benchmarks.contenders.running_server import RunningServer
from benchmarks.contenders.starting import answering, run

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
        with installing(folder, HERE / LOCK) as needed:
            if needed:
                for name in (MANIFEST, LOCK):
                    shutil.copy(HERE / name, folder)
                command = ["npm", "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"]
                run(command, folder=folder, seconds=INSTALL_SECONDS)
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
        ready, log = f"{address}/.well-known/openid-configuration", folder / "server.log"
        serve = [_node(folder), "server.js"]
        with answering(serve, ready, log=log, environment=environment, folder=folder) as pid:
            yield RunningServer(
                pid,
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
