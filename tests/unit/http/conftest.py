"""Fixtures: the application over an in-memory service, and callers of its two issuers."""

import pytest
from memory_service import MAIN, OTHER, Caller, LedgerTestServer, MemoryService

from api.http.app import create_app
from tests.builders import use_cheap_argon2


@pytest.fixture(autouse=True)
def _cheap_argon2(monkeypatch):
    use_cheap_argon2(monkeypatch)


@pytest.fixture
async def service():
    return await MemoryService(MAIN, OTHER).start()


@pytest.fixture
def fast_path() -> bool:
    """Whether the server uses the fast path; tests of form endpoints are parametrized over it."""
    return True


@pytest.fixture
async def http(service, aiohttp_client, fast_path):
    return await aiohttp_client(LedgerTestServer(create_app(service), fast_path=fast_path))


@pytest.fixture
def caller(http, service):
    """A caller of the issuer at /ms-auth-server."""
    return Caller(http, service.tenants[0])


@pytest.fixture
def other(http, service):
    """A caller of the issuer at /other."""
    return Caller(http, service.tenants[1])
