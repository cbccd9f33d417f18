"""A service over a real database, and its parts."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import asyncpg
import pytest

from api.service.composition import Service, ServiceConfig
from ledger.domain.client import Client
from ledger.domain.events import ClientSettings
from ledger.domain.recording import Cause
from ledger.use_cases.issuer import Issuer, IssuerIdentifier
from projections.audit import checkpoint
from tests.databases import connect

ISSUER = IssuerIdentifier("http://localhost:8085/first")
OTHER_ISSUER = IssuerIdentifier("http://localhost:8085/second")
CAUSE = Cause(actor="operator:test", request_id="request-1", remote_address="192.0.2.1")


@pytest.fixture(autouse=True)
def _patient_catch_up(monkeypatch) -> None:
    """Audit reads wait for the projections for as long as a busy machine needs."""
    monkeypatch.setattr(checkpoint, "CATCH_UP_TIMEOUT_SECONDS", 60.0)


@pytest.fixture
async def start_process(database) -> AsyncIterator[Callable[..., Awaitable[Service]]]:
    """Starts the service of one process; call it again for another process."""
    async with AsyncExitStack() as stack:

        async def start(dsn: str | None = None, **config: object) -> Service:
            service = Service(
                ServiceConfig(dsn=dsn or database.service_dsn, issuers=(ISSUER, OTHER_ISSUER), pool_size=4, **config)
            )
            stack.push_async_callback(service.close)
            return service

        yield start


@pytest.fixture
async def service(start_process) -> Service:
    return await start_process()


@pytest.fixture
async def issuer(service) -> Issuer:
    return service.issuers[0]


@pytest.fixture
async def client(issuer) -> Client:
    return await register_client(issuer)


async def register_client(issuer: Issuer, client_id: str = "shop", **settings: object) -> Client:
    given = {"name": "Shop", "grant_types": ("client_credentials",), "introspection": "issuer"} | settings
    return await issuer.registry.register(client_id, ClientSettings(**given), CAUSE)


@pytest.fixture
async def superuser(database) -> AsyncIterator[asyncpg.Connection]:
    """A superuser's connection to the test's database."""
    async with connect(database.superuser_dsn) as connection:
        yield connection
