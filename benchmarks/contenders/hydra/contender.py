"""Ory Hydra: one process that uses several processors."""

import json
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.contenders.contender import (
    CLIENT_ID,
    CLIENT_SECRET,
    RESOURCE_SERVER_ID,
    RESOURCE_SERVER_SECRET,
    SCOPES,
    Database,
)
from benchmarks.contenders.form_contender import FormContender
from benchmarks.contenders.processes import run_command, running_process

HERE = Path(__file__).parent
CONFIGURATION = HERE / "hydra.yaml"
MODULE = "github.com/ory/hydra/v2"
BUILD_SECONDS = 3600.0
COMMAND_SECONDS = 120.0
CONNECTIONS = 20

CLIENTS = [
    {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "grant_types": ["client_credentials"],
        "scope": " ".join(SCOPES),
        "token_endpoint_auth_method": "client_secret_post",
    },
    {
        "client_id": RESOURCE_SERVER_ID,
        "client_secret": RESOURCE_SERVER_SECRET,
        "grant_types": ["client_credentials"],
        "token_endpoint_auth_method": "client_secret_post",
    },
]


class Hydra:
    """The server, built from its module."""

    name = "hydra"
    notes = (
        "`hydra serve all`, one process, with `GOMAXPROCS` equal to the workers of the others, TLS left to a proxy, "
        "twenty connections, logs at `warn`. Client secrets are hashed with one iteration of PBKDF2, the minimum, so "
        "that hashing costs almost nothing; the default is 25,000. Introspection uses the admin port, which does not "
        "authenticate clients, so it does less work than the others. It encrypts stored token data, as by default. "
        "v2.3.0 is the newest release that is available as a Go module version."
    )

    def set_up(self, folder: Path) -> Mapping[str, str]:
        folder.mkdir(parents=True, exist_ok=True)
        version = _required_version()
        program = folder / f"hydra-{version}"
        if not program.exists():
            _build(folder, version).rename(program)
        compiler = run_command(["go", "version", str(program)], seconds=COMMAND_SECONDS).rpartition("go")[2].strip()
        return {"Ory Hydra": version, "Go": compiler}

    @contextmanager
    def serve(self, folder: Path, database: Database, *, port: int, processes: int) -> Iterator[FormContender]:
        hydra = str(folder / f"hydra-{_required_version()}")
        public, admin = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}"
        environment = {
            "DSN": f"{database.url}?sslmode=disable&max_conns={CONNECTIONS}&max_idle_conns={CONNECTIONS}",
            "SECRETS_SYSTEM": secrets.token_hex(32),
            "SERVE_PUBLIC_PORT": str(port),
            "SERVE_ADMIN_PORT": str(port + 1),
            "URLS_SELF_ISSUER": f"https://127.0.0.1:{port}",
            "GOMAXPROCS": str(processes),
        }
        configured = ["--config", str(CONFIGURATION)]
        run_command(
            [hydra, "migrate", "sql", "up", "--read-from-env", "--yes", *configured],
            environment=environment,
            seconds=COMMAND_SECONDS,
        )
        clients = folder / "clients.json"
        clients.write_text(json.dumps(CLIENTS))
        serve, log = [hydra, "serve", "all", *configured], folder / "hydra.log"
        ready = [f"{address}/health/ready" for address in (public, admin)]
        with running_process(serve, *ready, log=log, environment=environment) as pid:
            run_command([hydra, "import", "oauth2-client", str(clients), "--endpoint", admin], seconds=COMMAND_SECONDS)
            yield FormContender(
                pid,
                token_url=f"{public}/oauth2/token",
                introspection_url=f"{admin}/admin/oauth2/introspect",
                revocation_url=f"{public}/oauth2/revoke",
                introspection_client={},
            )


def _required_version() -> str:
    found = re.search(rf"^\s*{re.escape(MODULE)} (\S+)", (HERE / "go.mod").read_text(), re.MULTILINE)
    assert found, "go.mod does not require Hydra"
    return found[1]


def _build(folder: Path, version: str) -> Path:
    """Compile the program in `folder` and remove everything else."""
    work = folder / "build"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    for name in ("go.mod", "go.sum"):
        shutil.copy(HERE / name, work)
    environment = {
        "GOPATH": str(work / "path"),
        "GOMODCACHE": str(work / "path/pkg/mod"),
        "GOCACHE": str(work / "cache"),
        "GOBIN": str(work),
        "GOFLAGS": "-modcacherw -trimpath -buildvcs=false",
        "CGO_ENABLED": "0",
    }
    linking = f"-s -w -X {MODULE}/driver/config.Version={version}"
    command = ["nice", "-n", "10", "go", "install", "-ldflags", linking, MODULE]
    run_command(command, folder=work, environment=environment, seconds=BUILD_SECONDS)
    program = (work / "hydra").rename(folder / "hydra")
    shutil.rmtree(work)
    return program
