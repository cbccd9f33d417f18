import asyncio
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from service_process import Credentials, ServiceProcess

from api.embedded_postgres import EmbeddedPostgres
from api.service.composition import Service, ServiceConfig
from ledger.domain.events import ClientSettings
from ledger.domain.recording import Cause
from ledger.use_cases.issuer import IssuerIdentifier
from tests.databases import connect

CAUSE = Cause(actor="operator:test")


@pytest.fixture
def start() -> Iterator[Callable[..., ServiceProcess]]:
    """Start `token-ledger serve`; every process still running at the end of the test is killed."""
    with ExitStack() as stack:
        yield lambda *flags, **more: stack.enter_context(ServiceProcess(*flags, **more))


@pytest.fixture(scope="session")
def demo_folder() -> Iterator[Path]:
    """The data folder of an embedded database, initialised once and shared by the tests of a session."""
    with tempfile.TemporaryDirectory(prefix="token-ledger-demo-") as name:
        folder = Path(name) / "postgres"
        yield folder
        # The last user to leave stops the server, which a killed service may have left running.
        with EmbeddedPostgres(folder):
            pass


@pytest.fixture
def demo(start, database) -> ServiceProcess:
    """A running service in demo mode, on the test's database."""
    return start("--demo", "--dsn", database.service_dsn).wait_until_ready()


@pytest.fixture
def query(database) -> Callable[..., list[asyncpg.Record]]:
    """Run statements as the superuser; return the rows of the last one."""

    async def run(*statements: str) -> list[asyncpg.Record]:
        async with connect(database.superuser_dsn) as connection:
            for statement in statements:
                rows = await connection.fetch(statement)
        return rows

    return lambda *statements: asyncio.run(run(*statements))


@pytest.fixture
def query_value(query) -> Callable[..., Any]:
    """Run statements as the superuser; return the first value of the last one."""

    def run(*statements: str) -> Any:
        rows = query(*statements)
        return rows[0][0] if rows else None

    return run


@pytest.fixture
def add_client(database) -> Callable[..., Credentials]:
    """Register a client without a running service; return its id and generated secret."""

    async def register(client_id: str, issuer: str, settings: ClientSettings) -> str:
        async with Service(ServiceConfig(database.service_dsn, (IssuerIdentifier(issuer),))) as service:
            registry = service.issuers[0].registry
            await registry.register(client_id, settings, CAUSE)
            _, secret = await registry.add_generated_secret(client_id, CAUSE)
        return secret

    def add(client_id: str, issuer: str = "http://localhost/ms-auth-server", **settings: Any) -> Credentials:
        given = ClientSettings(name=client_id, grant_types=("client_credentials",), **settings)
        return Credentials(client_id, asyncio.run(register(client_id, issuer, given)))

    return add
