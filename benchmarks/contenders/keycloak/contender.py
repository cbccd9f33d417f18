"""Keycloak, one node in production mode."""

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
from benchmarks.contenders.java import Jdk, built, jdk
from benchmarks.contenders.running_server import RunningServer
from benchmarks.contenders.starting import answering, run
from benchmarks.ports import HOST

DISTRIBUTION = Path(__file__).parent / "distribution"
OLDEST_JDK = 17
HEAP = "-Xms1g -Xmx1g"
BUILD_SECONDS = 900.0
START_SECONDS = 300.0
"""The first start makes some hundred tables."""

REALM = {
    "CLIENT_ID": CLIENT_ID,
    "CLIENT_SECRET": CLIENT_SECRET,
    "RESOURCE_SERVER_ID": RESOURCE_SERVER_ID,
    "RESOURCE_SERVER_SECRET": RESOURCE_SERVER_SECRET,
}
"""What the realm's file takes from the environment."""


class Keycloak:
    """Its distribution, with the configuration and the realm that are beside this file."""

    name = "keycloak"
    notes = (
        "`kc.sh build` and `start --optimized` in production mode, over HTTP as behind a proxy that ends TLS, caches "
        "of its own node only (`cache=local`), a heap of 1 GB, a connection pool of fixed size, warnings and errors "
        "logged. Its access tokens are JWTs and are not stored: issuing and introspecting write nothing and make one "
        "query each, since realm, clients and revoked tokens are kept in memory; a revocation is written to "
        "PostgreSQL. Tokens are signed with HS512, which only Keycloak can verify, for here every resource server "
        "asks it; with RS256, the default (`SIGNATURE_ALGORITHM=RS256` in the environment), each request takes more "
        "processor time. The scopes are the three and a small `basic`, so tokens are shorter than with all scopes of "
        "a new realm. The resource server is in the tokens' audience, or Keycloak would not let it introspect them. "
        "Client secrets are stored as they are and compared, not hashed."
    )

    def set_up(self, folder: Path) -> Mapping[str, str]:
        folder.mkdir(parents=True, exist_ok=True)
        java = jdk(OLDEST_JDK)
        return {"Java": str(java), "Keycloak": _home(folder, java).name.removeprefix("keycloak-")}

    @contextmanager
    def running(self, folder: Path, database: Database, *, port: int, processes: int) -> Iterator[RunningServer]:
        java = jdk(OLDEST_JDK)
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
        with answering(command, ready, log=log, environment=environment, seconds=START_SECONDS) as pid:
            protocol = f"http://{HOST}:{port}/realms/benchmark/protocol/openid-connect"
            yield RunningServer(
                pid,
                token_url=f"{protocol}/token",
                introspection_url=f"{protocol}/token/introspect",
                revocation_url=f"{protocol}/revoke",
            )


def _home(folder: Path, java: Jdk) -> Path:
    """The distribution, with our configuration built in."""
    work = built(DISTRIBUTION, folder, java)
    (home,) = (work / "target").glob("keycloak-*")
    realm = home / "data" / "import" / "realm.json"
    if not realm.exists():
        shutil.copy(work / "keycloak.conf", home / "conf")
        run([str(home / "bin" / "kc.sh"), "build"], environment=java.environment, seconds=BUILD_SECONDS)
        realm.parent.mkdir(parents=True)
        shutil.copy(work / "realm.json", realm)
    return home
