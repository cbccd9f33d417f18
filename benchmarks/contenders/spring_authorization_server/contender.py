"""Spring Authorization Server, in the smallest application of Spring Boot that has it."""

import re
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
from benchmarks.contenders.java import Jdk, built, jdk
from benchmarks.contenders.running_server import RunningServer
from benchmarks.contenders.starting import answering, run
from benchmarks.ports import HOST

APPLICATION = Path(__file__).parent / "application"
OLDEST_JDK = 17
HEAP = ("-Xms1g", "-Xmx1g")
EXTRACTION_SECONDS = 120.0

CLIENTS = {
    "PEER_CLIENTS_0_ID": CLIENT_ID,
    "PEER_CLIENTS_0_SECRET": CLIENT_SECRET,
    "PEER_CLIENTS_0_SCOPES": ",".join(SCOPES),
    "PEER_CLIENTS_1_ID": RESOURCE_SERVER_ID,
    "PEER_CLIENTS_1_SECRET": RESOURCE_SERVER_SECRET,
    "PEER_CLIENTS_1_SCOPES": "",
}

LIBRARIES = {
    "Spring Authorization Server": "spring-security-oauth2-authorization-server",
    "Spring Boot": "spring-boot",
    "Tomcat": "tomcat-embed-core",
    "HikariCP": "HikariCP",
    "PostgreSQL JDBC": "postgresql",
}


class SpringAuthorizationServer:
    """With its JDBC services."""

    name = "spring-authorization-server"
    notes = (
        "The authorization server of Spring Security in Spring Boot on Tomcat, its jar extracted, a heap of 1 GB, "
        "threads and connection pool of the default sizes, no access log. Opaque tokens (`REFERENCE`). Clients and "
        "authorizations are in PostgreSQL by its JDBC services and its own schema, to which come the indexes that it "
        "leaves to operators: one for each column in which an introspection looks for the token. Two things are ours, "
        "in a few lines: clients are cached for a minute, or each request would read its client up to three times; "
        "and the calls of the authorization service are transactions, or under load each of them could wait for a "
        "second connection until none is left. Client secrets are stored as salted SHA-256, which is enough for "
        "generated ones; with bcrypt, the default (`PEER_SECRETENCODING=bcrypt` in the environment), every request "
        "would take tens of milliseconds of processor time for it."
    )

    def set_up(self, folder: Path) -> Mapping[str, str]:
        folder.mkdir(parents=True, exist_ok=True)
        java = jdk(OLDEST_JDK)
        jars = [jar.name for jar in (_server(folder, java).parent / "lib").glob("*.jar")]
        return {"Java": str(java), **{library: version_of(name, jars) for library, name in LIBRARIES.items()}}

    @contextmanager
    def running(self, folder: Path, database: Database, *, port: int, processes: int) -> Iterator[RunningServer]:
        java = jdk(OLDEST_JDK)
        address = f"http://{HOST}:{port}"
        environment = {
            **CLIENTS,
            "SERVER_PORT": str(port),
            "SPRING_DATASOURCE_URL": f"jdbc:postgresql://{database.host}:{database.port}/{database.name}",
            "SPRING_DATASOURCE_USERNAME": database.user,
            "SPRING_DATASOURCE_PASSWORD": database.password,
        }
        log = folder / "spring_authorization_server.log"
        command = [java.java, *HEAP, f"-XX:ActiveProcessorCount={processes}", "-jar", str(_server(folder, java))]
        ready = f"{address}/.well-known/oauth-authorization-server"
        with answering(command, ready, log=log, environment=environment) as pid:
            yield RunningServer(
                pid,
                token_url=f"{address}/oauth2/token",
                introspection_url=f"{address}/oauth2/introspect",
                revocation_url=f"{address}/oauth2/revoke",
            )


def version_of(name: str, jars: list[str]) -> str:
    """What the file names of libraries say of one of them."""
    found = [match[1] for jar in jars if (match := re.fullmatch(rf"{re.escape(name)}-(\d.*)\.jar", jar))]
    assert len(found) == 1, f"one {name} is in {jars}"
    return found[0]


def _server(folder: Path, java: Jdk) -> Path:
    """The jar, beside the folder of its libraries: the layout that Spring Boot recommends for production."""
    work = built(APPLICATION, folder, java)
    extracted = work / "extracted"
    if not extracted.exists():
        jar = str(work / "target" / "server.jar")
        extract = [java.java, "-Djarmode=tools", "-jar", jar, "extract", "--destination", str(extracted)]
        run(extract, seconds=EXTRACTION_SECONDS)
    return extracted / "server.jar"
