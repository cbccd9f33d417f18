"""Keycloak: one node in production mode."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.contenders.contender import (
    CLIENT_ID,
    CLIENT_SECRET,
    RESOURCE_SERVER_ID,
    RESOURCE_SERVER_SECRET,
    Database,
)
from benchmarks.contenders.form_contender import FormContender
from benchmarks.contenders.java import Jdk, build_sources, find_jdk
from benchmarks.contenders.processes import run_command, running_process
from benchmarks.ports import HOST

DISTRIBUTION = Path(__file__).parent / "distribution"
OLDEST_JDK = 17
HEAP = "-Xms1g -Xmx1g"
BUILD_SECONDS = 900.0
START_SECONDS = 300.0
"""The first start creates about a hundred tables."""

REALM = {
    "CLIENT_ID": CLIENT_ID,
    "CLIENT_SECRET": CLIENT_SECRET,
    "RESOURCE_SERVER_ID": RESOURCE_SERVER_ID,
    "RESOURCE_SERVER_SECRET": RESOURCE_SERVER_SECRET,
}
"""Environment variables of the realm file."""


class Keycloak:
    """Its distribution, with the configuration and the realm of the folder `distribution`."""

    name = "keycloak"
    notes = (
        "`kc.sh build` and `start --optimized` in production mode, over HTTP as behind a TLS proxy, local caches "
        "(`cache=local`), a heap of 1 GB, a connection pool of fixed size, warnings and errors logged. Its access "
        "tokens are JWTs and are not stored: issuance and introspection write nothing and run one query each, because "
        "realm, clients and revoked tokens are cached in memory; a revocation is written to PostgreSQL. Tokens are "
        "signed with HS512, which only Keycloak can verify, because all resource servers here use introspection; with "
        "the default RS256 (`SIGNATURE_ALGORITHM=RS256` in the environment) each request needs more CPU time. The "
        "scopes are the three and a small `basic`, so tokens are shorter than with all scopes of a new realm. The "
        "resource server is in the audience of the tokens; otherwise Keycloak would not let it introspect them. Client "
        "secrets are stored and compared in plain text."
    )

    def set_up(self, folder: Path) -> Mapping[str, str]:
        folder.mkdir(parents=True, exist_ok=True)
        java = find_jdk(OLDEST_JDK)
        return {"Java": str(java), "Keycloak": _home(folder, java).name.removeprefix("keycloak-")}

    @contextmanager
    def serve(self, folder: Path, database: Database, *, port: int, processes: int) -> Iterator[FormContender]:
        java = find_jdk(OLDEST_JDK)
        management = port + 1
        environment = {
            **java.environment,
            **REALM,
            "JAVA_OPTS_KC_HEAP": HEAP,
            "JAVA_OPTS_APPEND": f"-XX:ActiveProcessorCount={processes}",
            "KC_HTTP_PORT": str(port),
            "KC_HTTP_MANAGEMENT_PORT": str(management),
            "KC_DB_URL": f"jdbc:postgresql://{database.host}:{database.port}/{database.name}",
            "KC_DB_USERNAME": database.user,
            "KC_DB_PASSWORD": database.password,
        }
        log = folder / "keycloak.log"
        command = [str(_home(folder, java) / "bin" / "kc.sh"), "start", "--optimized", "--import-realm"]
        ready = f"http://{HOST}:{management}/health/ready"
        with running_process(command, ready, log=log, environment=environment, seconds=START_SECONDS) as pid:
            protocol = f"http://{HOST}:{port}/realms/benchmark/protocol/openid-connect"
            yield FormContender(
                pid,
                token_url=f"{protocol}/token",
                introspection_url=f"{protocol}/token/introspect",
                revocation_url=f"{protocol}/revoke",
            )


def _home(folder: Path, java: Jdk) -> Path:
    """Return the distribution, built with our configuration."""
    work = build_sources(DISTRIBUTION, folder, java)
    (home,) = (work / "target").glob("keycloak-*")
    realm = home / "data" / "import" / "realm.json"
    if not realm.exists():
        shutil.copy(work / "keycloak.conf", home / "conf")
        run_command([str(home / "bin" / "kc.sh"), "build"], environment=java.environment, seconds=BUILD_SECONDS)
        realm.parent.mkdir(parents=True)
        shutil.copy(work / "realm.json", realm)
    return home
