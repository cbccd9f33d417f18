"""A service whose costs are counted, and the table of costs at the end of the run."""

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from aiohttp.test_utils import TestServer

from api.http.app import create_app
from api.http.fast_path.server import create_runner
from api.logging.configuration import configure_logging
from api.service.composition import Service, ServiceConfig
from ledger.domain.client import Client
from ledger.domain.events import ClientSettings
from ledger.domain.recording import Cause
from ledger.use_cases.issuer import Issuer, IssuerIdentifier
from tests.cost.bounds import Bound
from tests.cost.caller import Caller

ISSUER: Final = IssuerIdentifier("http://localhost:8085/shop")
CAUSE: Final = Cause(actor="operator:test", request_id=f"{1:032x}", remote_address="192.0.2.1")
CLIENT: Final = "shop"
SETTINGS: Final = ClientSettings(
    name="A shop",
    grant_types=("client_credentials",),
    scopes=("country.read", "customer.read", "customer.write"),
    default_scopes=("country.read", "customer.read"),
    introspection="issuer",
)
COST: Final = "cost"


class _Server(TestServer):
    async def _make_runner(self, **options):
        return create_runner(self.app, **options)


@dataclass(frozen=True)
class Shop:
    """The only client of a service, which sends requests over HTTP or calls the use cases."""

    issuer: Issuer
    client: Client
    secret: str
    caller: Caller

    async def post(self, name: str, *forms: dict[str, str]) -> list[bytes]:
        """Post forms to an OAuth endpoint, one after the other; return the bodies of the responses."""
        return await self.caller.post(self._path(name), self._from_client(forms))

    async def send(self, name: str, *forms: dict[str, str]) -> None:
        """Post forms and discard the responses."""
        await self.caller.send(self._path(name), self._from_client(forms))

    async def request_tokens(self, count: int) -> list[str]:
        """Request tokens over HTTP."""
        bodies = await self.post("token", *[{"grant_type": "client_credentials"}] * count)
        return [json.loads(body)["access_token"] for body in bodies]

    def _path(self, name: str) -> str:
        return f"{ISSUER.path}/oauth2/{name}"

    def _from_client(self, forms: Sequence[dict[str, str]]) -> list[dict[str, str]]:
        credentials = {"client_id": self.client.client_id, "client_secret": self.secret}
        return [credentials | form for form in forms]


@pytest.fixture
def hold(record_property) -> Callable[..., None]:
    """Compare measurements with their bounds; the failure lists all that are out of bounds."""

    def compare(*costs: tuple[Bound, float]) -> None:
        for bound, measured in costs:
            record_property(
                COST, (bound.what, float(measured), float(bound.cost))
            )  # test workers can only send plain numbers
        problems = [problem for bound, measured in costs if (problem := bound.problem(measured))]
        if problems:
            pytest.fail("\n".join(problems), pytrace=False)

    return compare


@pytest.fixture
def _logging_to_null_device(_restored_logging) -> Iterator[None]:
    """Write log lines as in production, to the null device."""
    with Path(os.devnull).open("w", encoding="utf-8") as null_device:
        configure_logging(format="json", stream=null_device)
        yield


@pytest.fixture
async def start_shop(_logging_to_null_device) -> AsyncIterator[Callable[[str], Awaitable[Shop]]]:
    """Start a service on a DSN."""
    async with AsyncExitStack() as stack:

        async def start(dsn: str) -> Shop:
            service = Service(ServiceConfig(dsn=dsn, issuers=(ISSUER,), pool_size=4))
            issuer = service.issuers[0]
            await issuer.registry.register(CLIENT, SETTINGS, CAUSE)
            _, secret = await issuer.registry.add_generated_secret(CLIENT, CAUSE)
            client = await issuer.authentication.authenticate(CLIENT, secret)
            server = _Server(create_app(service))
            await server.start_server()
            stack.push_async_callback(server.close)
            caller = stack.enter_context(closing(Caller(server.make_url("/"))))
            return Shop(issuer, client, secret, caller)

        yield start


@pytest.fixture
async def shop(database, start_shop) -> Shop:
    return await start_shop(database.service_dsn)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print every current cost with its bound."""
    reports = [report for key in ("passed", "failed") for report in terminalreporter.stats.get(key, [])]
    costs = [value for report in reports for name, value in report.user_properties if name == COST]
    if costs:
        terminalreporter.section("costs")
    for what, measured, bound in costs:
        terminalreporter.write_line(f"{what:60} {measured:>12,.6g}   bound {bound:>12,.6g}")
