"""Spring Authorization Server in a minimal Spring Boot application."""

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
from benchmarks.contenders.form_contender import FormContender
from benchmarks.contenders.java import Jdk, build_sources, find_jdk
from benchmarks.contenders.processes import run_command, running_process
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
    """The application, with the JDBC services."""

    name = "spring-authorization-server"
    notes = (
        "The authorization server of Spring Security in Spring Boot on Tomcat, with an extracted jar, a heap of 1 GB, "
        "default thread and connection pools, no access log. Opaque tokens (`REFERENCE`). Its JDBC services store "
        "clients and authorizations in PostgreSQL with its own schema, plus the indexes that it leaves to operators: "
        "one for each column in which introspection looks a token up. We added two things in a few lines: clients are "
        "cached for a minute, because each request would read its client up to three times; and calls of the "
        "authorization service are transactions, because under load each could wait for a second connection until the "
        "pool is exhausted. Client secrets are stored as salted SHA-256, which is sufficient for generated secrets; "
        "with the default bcrypt (`PEER_SECRETENCODING=bcrypt` in the environment) every request would need tens of "
        "milliseconds of CPU time."
    )

    def set_up(self, folder: Path) -> Mapping[str, str]:
        folder.mkdir(parents=True, exist_ok=True)
        java = find_jdk(OLDEST_JDK)
        jars = [jar.name for jar in (_server(folder, java).parent / "lib").glob("*.jar")]
        return {"Java": str(java), **{library: version_of(name, jars) for library, name in LIBRARIES.items()}}

    @contextmanager
    def serve(self, folder: Path, database: Database, *, port: int, processes: int) -> Iterator[FormContender]:
        java = find_jdk(OLDEST_JDK)
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
        with running_process(command, ready, log=log, environment=environment) as pid:
            yield FormContender(
                pid,
                token_url=f"{address}/oauth2/token",
                introspection_url=f"{address}/oauth2/introspect",
                revocation_url=f"{address}/oauth2/revoke",
            )


def version_of(name: str, jars: list[str]) -> str:
    """Return the version in the file name of a library."""
    found = [match[1] for jar in jars if (match := re.fullmatch(rf"{re.escape(name)}-(\d.*)\.jar", jar))]
    assert len(found) == 1, f"not exactly one {name} in {jars}"
    return found[0]


def _server(folder: Path, java: Jdk) -> Path:
    """Return the jar, extracted into the layout that Spring Boot recommends for production."""
    work = build_sources(APPLICATION, folder, java)
    extracted = work / "extracted"
    if not extracted.exists():
        jar = str(work / "target" / "server.jar")
        extract = [java.java, "-Djarmode=tools", "-jar", jar, "extract", "--destination", str(extracted)]
        run_command(extract, seconds=EXTRACTION_SECONDS)
    return extracted / "server.jar"
