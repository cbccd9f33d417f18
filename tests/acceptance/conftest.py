import asyncio
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from service_process import Credentials, ServiceProcess

from api.embedded_postgres import EmbeddedPostgres
from api.service.composition import ServiceConfig, start_service
from ledger.domain.events import ClientSettings
from ledger.domain.recording import Cause
from ledger.use_cases.issuer import IssuerIdentifier

CAUSE = Cause(actor="operator:test")


@pytest.fixture
def start() -> Iterator[Callable[..., ServiceProcess]]:
    """Starts `token-ledger serve`; whatever still runs at the end of the test is killed."""
    with ExitStack() as stack:
        yield lambda *flags, **more: stack.enter_context(ServiceProcess(*flags, **more))


@pytest.fixture(scope="session")
def demo_folder() -> Iterator[Path]:
    """The folder of an embedded database for demos. It is set up once, and nobody keeps it running."""
    with tempfile.TemporaryDirectory(prefix="token-ledger-demo-") as name:
        folder = Path(name) / "postgres"
        yield folder
        # Whatever a killed service left running has no user any more: the last to leave stops it.
        with EmbeddedPostgres(folder):
            pass


@pytest.fixture
def demo(start, database) -> ServiceProcess:
    """A service in demo mode, on a database of its own."""
    return start("--demo", "--dsn", database.service_dsn).ready()


@pytest.fixture
def add_client(database) -> Callable[..., Credentials]:
    """Registers a client, in this process; returns its id and generated secret."""

    async def register(client_id: str, issuer: str, settings: ClientSettings) -> str:
        service = await start_service(ServiceConfig(dsn=database.service_dsn, issuers=(IssuerIdentifier(issuer),)))
        try:
            registry = service.issuers[0].registry
            await registry.register(client_id, settings, CAUSE)
            _, secret = await registry.add_generated_secret(client_id, CAUSE)
        finally:
            await service.close()
        return secret

    def add(client_id: str, issuer: str = "http://localhost/ms-auth-server", **settings: Any) -> Credentials:
        given = ClientSettings(name=client_id, grant_types=("client_credentials",), **settings)
        return Credentials(client_id, asyncio.run(register(client_id, issuer, given)))

    return add
