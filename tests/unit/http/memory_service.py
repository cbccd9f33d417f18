"""The in-memory service with clients whose secrets the tests know, and a caller of its endpoints."""

from base64 import b64encode
from datetime import UTC, datetime
from io import BytesIO
from secrets import token_bytes
from urllib.parse import quote_plus, urlencode

import pytest
from aiohttp.test_utils import TestClient

from api.http.app import create_app
from ledger.domain.events import ClientSettings
from ledger.domain.recording import Cause
from tests.builders import FakeClock
from tests.in_memory_issuer import InMemoryIssuer
from tests.in_memory_service import InMemoryService, LedgerTestServer

FORM = "application/x-www-form-urlencoded"
MAIN = "http://localhost:8085/ms-auth-server"
OTHER = "http://localhost:8085/other"
OPERATOR = Cause(actor="operator:test")
ENDPOINTS = ("token", "introspect", "revoke")
METHODS = ("client_secret_basic", "client_secret_post")

both_ways = pytest.mark.parametrize("fast_path", [True, False], ids=["fast path", "aiohttp"])
"""Run the tests of form endpoints with and without the fast path."""

CLIENTS = {
    "app": ClientSettings(
        name="App", grant_types=("client_credentials",), scopes=("read", "write", "order:1"), access_token_lifetime=600
    ),
    "app2": ClientSettings(name="Second app", grant_types=("client_credentials",), scopes=("read",)),
    "for-rs": ClientSettings(
        name="App of a resource server", grant_types=("client_credentials",), audience=("narrow-rs", "elsewhere")
    ),
    "defaulted": ClientSettings(
        name="Defaults", grant_types=("client_credentials",), scopes=("read", "write"), default_scopes=("read",)
    ),
    "rs": ClientSettings(name="Resource server", introspection="issuer"),
    "narrow-rs": ClientSettings(name="Narrow resource server", introspection="audience"),
    "disabled": ClientSettings(
        name="Disabled", grant_types=("client_credentials",), scopes=("read",), introspection="issuer"
    ),
    "auditor": ClientSettings(name="Auditor", grant_types=("client_credentials",), scopes=("audit.read", "read")),
    "odd+id%:&=": ClientSettings(name="Odd", grant_types=("client_credentials",), introspection="issuer"),
}


class Tenant(InMemoryIssuer):
    """One issuer, its log, and the secrets of its clients."""

    def __init__(self, *args, **more) -> None:
        super().__init__(*args, **more)
        self.secrets: dict[str, str] = {}

    async def add_clients(self) -> None:
        for client_id, settings in CLIENTS.items():
            await self.issuer.registry.register(client_id, settings, OPERATOR)
            _, self.secrets[client_id] = await self.issuer.registry.add_generated_secret(client_id, OPERATOR)
        await self.issuer.registry.disable("disabled", "a test", OPERATOR)

    async def events(self, topic: str | None = None) -> list:
        return [row for row in self.log if topic in {None, row.topic}]


class MemoryService(InMemoryService):
    """A service whose issuers all have the same clients."""

    def __init__(self, *urls: str) -> None:
        self.clock = FakeClock(datetime(2026, 3, 1, 12, 0, 0, 700_000, tzinfo=UTC))
        self.tenants = [Tenant(url, clock=self.clock, random_bytes=token_bytes) for url in urls]
        super().__init__(self.tenants)

    async def start(self) -> "MemoryService":
        for tenant in self.tenants:
            await tenant.add_clients()
        return self


async def serve(aiohttp_client, *urls: str) -> "Caller":
    """Serve issuers with these URLs; returns a caller of the first."""
    service = await MemoryService(*(urls or (MAIN,))).start()
    return Caller(await aiohttp_client(LedgerTestServer(create_app(service))), service.tenants[0])


def basic(client_id: str, secret: str) -> str:
    """Format an Authorization header (RFC 6749 §2.3.1)."""
    return "Basic " + b64encode(f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()).decode()


class Caller:
    """Sends requests as a client of one issuer."""

    def __init__(self, http: TestClient, tenant: Tenant) -> None:
        self.http = http
        self.tenant = tenant
        self.path = tenant.issuer.identifier.path

    async def send(self, endpoint: str, body: bytes | str | BytesIO = b"", **headers: str):
        """Send a request; underscores in header names become hyphens."""
        named = {"Content-Type": FORM} | {name.replace("_", "-"): value for name, value in headers.items()}
        named = {name: value for name, value in named.items() if value}
        skip = ("Content-Type",) if "Content-Type" not in named else ()
        return await self.http.post(
            f"{self.path}/oauth2/{endpoint}",
            data=body.encode() if isinstance(body, str) else body,
            headers=named,
            skip_auto_headers=skip,
        )

    async def post(
        self, endpoint: str, client_id: str = "app", *, by: str = METHODS[0], secret: str | None = None, **parameters
    ):
        """Send a form from a client that authenticates."""
        secret = secret or self.tenant.secrets.get(client_id, "no-such-secret")
        if by == "client_secret_basic":
            return await self.send(endpoint, urlencode(parameters), Authorization=basic(client_id, secret))
        return await self.send(endpoint, urlencode({"client_id": client_id, "client_secret": secret, **parameters}))

    async def token(self, client_id: str = "app", scope: str = "") -> str:
        response = await self.post("token", client_id, grant_type="client_credentials", scope=scope)
        assert response.status == 200, await response.text()
        return (await response.json())["access_token"]

    async def introspect(self, token: str, client_id: str = "rs") -> dict:
        response = await self.post("introspect", client_id, token=token)
        assert response.status == 200, await response.text()
        return await response.json()

    async def is_active(self, token: str) -> bool:
        return (await self.introspect(token))["active"]


def parameters_for(endpoint: str) -> dict[str, str]:
    """The required parameters of an endpoint, besides authentication."""
    return {"grant_type": "client_credentials"} if endpoint == "token" else {"token": "t" * 128}


def sender_for(endpoint: str) -> str:
    """A client that may use the endpoint."""
    return "rs" if endpoint == "introspect" else "app"


async def assert_error(response, status: int, code: str) -> str:
    """Assert that a response is this error; returns its description."""
    text = await response.text()
    assert response.status == status, text
    assert response.content_type == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Pragma"] == "no-cache"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Server"] == "token-ledger"
    assert response.headers["X-Request-Id"]
    body = await response.json()
    assert list(body) == ["error", "error_description"]
    assert body["error"] == code
    description = body["error_description"]
    assert description
    assert all(c in {" ", "!"} or "#" <= c <= "[" or "]" <= c <= "~" for c in description), description
    return description
