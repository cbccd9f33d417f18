"""Fixtures: the application over a service in memory, and callers of its two issuers."""

import pytest
from argon2 import PasswordHasher
from argon2.low_level import Type
from memory_service import MAIN, OTHER, Caller, LedgerTestServer, MemoryService

from api.http.app import create_app
from ledger.domain import secrets as client_secrets


@pytest.fixture(autouse=True)
def _cheap_argon2(monkeypatch):
    """The real algorithm with the least work, so that a refusal takes no tens of milliseconds."""
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1, hash_len=32, type=Type.ID)
    monkeypatch.setattr(client_secrets, "_argon2", cheap)
    monkeypatch.setattr(client_secrets, "_DECOY", cheap.hash(b"no client has this secret", salt=bytes(16)))


@pytest.fixture
async def service():
    return await MemoryService(MAIN, OTHER).start()


@pytest.fixture
async def http(service, aiohttp_client):
    return await aiohttp_client(LedgerTestServer(create_app(service)))


@pytest.fixture
def caller(http, service):
    """Calls the issuer at /ms-auth-server."""
    return Caller(http, service.tenants[0])


@pytest.fixture
def other(http, service):
    """Calls the issuer at /other."""
    return Caller(http, service.tenants[1])
