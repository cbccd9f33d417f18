"""oidc-provider: a library for Node.js, with a PostgreSQL adapter and one worker process per processor."""

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
from benchmarks.contenders.form_contender import FormContender
from benchmarks.contenders.installation import install_once
from benchmarks.contenders.processes import run_command, running_process

HERE = Path(__file__).parent
MANIFEST, LOCK = "package.json", "package-lock.json"
SOURCES = ("server.js", "configuration.js", "adapter.js")
INSTALL_SECONDS = 600.0
CONNECTIONS = 10
"""Per worker: the default of pg."""

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
        "A `node:cluster` of oidc-provider on a supported release of Node.js (24, long-term support), with "
        "`NODE_ENV=production` and an adapter over `pg`: one table for all models, as in its contributed SQL adapters, "
        "prepared statements, ten connections per worker. Its two clients are in its configuration, so client "
        "authentication does not read the database, and secrets are compared in plain text. Without a hint it looks a "
        "token up in two places, with two concurrent statements. It logs only errors. It needs some thousand requests "
        "until the just-in-time compiler has finished."
    )

    def set_up(self, folder: Path) -> Mapping[str, str]:
        folder.mkdir(parents=True, exist_ok=True)
        with install_once(folder, HERE / LOCK) as needed:
            if needed:
                for name in (MANIFEST, LOCK):
                    shutil.copy(HERE / name, folder)
                command = ["npm", "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"]
                run_command(command, folder=folder, seconds=INSTALL_SECONDS)
        pinned: dict[str, str] = json.loads((HERE / MANIFEST).read_text())["dependencies"]
        node = run_command([_node(folder), "--version"], seconds=INSTALL_SECONDS)
        return {**pinned, "Node.js": node.strip().removeprefix("v")}

    @contextmanager
    def serve(self, folder: Path, database: Database, *, port: int, processes: int) -> Iterator[FormContender]:
        for name in SOURCES:
            shutil.copy(HERE / name, folder)
        asyncio.run(_create_schema(database))
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
        with running_process(serve, ready, log=log, environment=environment, folder=folder) as pid:
            yield FormContender(
                pid,
                token_url=f"{address}/token",
                introspection_url=f"{address}/token/introspection",
                revocation_url=f"{address}/token/revocation",
            )


def _node(folder: Path) -> str:
    """Return the Node.js that is installed with it, or the machine's if there is none for this platform."""
    installed = folder / "node_modules/.bin/node"
    return str(installed) if installed.exists() else "node"


async def _create_schema(database: Database) -> None:
    connection = await asyncpg.connect(database.url)
    try:
        await connection.execute((HERE / "schema.sql").read_text())
    finally:
        await connection.close()
