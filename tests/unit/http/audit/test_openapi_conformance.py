"""The service conforms to its OpenAPI document: schemathesis sends valid and invalid requests.

The in-memory service runs in a thread. It ends streams at once, as during shutdown, so that no request is endless.
"""

import asyncio
import threading
from dataclasses import dataclass

import pytest
import schemathesis
from aiohttp.test_utils import TestClient
from auditor import Auditor
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from memory_service import MAIN, Caller, LedgerTestServer, MemoryService, basic
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from api.http.app import create_app

EXAMPLES = 20
OPERATIONS = 30
CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
BOUNDED = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@dataclass
class Running:
    """A running service."""

    schema: schemathesis.BaseSchema
    url: str
    jti: str
    bearer: str
    client: str

    def headers(self, operation) -> dict[str, str]:
        by_bearer = any("bearer" in requirement for requirement in operation.definition.raw["security"])
        return {"Authorization": self.bearer if by_bearer else self.client}


@pytest.fixture(scope="module")
def running():
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="served")
    thread.start()

    def wait_for(coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(timeout=60)

    try:
        client, found = wait_for(start())
        yield found
        wait_for(client.close())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def start() -> tuple[TestClient, Running]:
    service = await MemoryService(MAIN).start()
    app = create_app(service)
    http = TestClient(LedgerTestServer(app))
    await http.start_server()
    await app.shutdown()
    auditor = await Auditor(Caller(http, service.tenants[0])).sign_in()
    document = await (await http.get("/ms-auth-server/openapi.json")).json()
    return http, Running(
        schemathesis.openapi.from_dict(document),
        str(http.make_url("/")).rstrip("/"),
        await auditor.issue("app", "read"),
        auditor.authorization["Authorization"],
        basic("app", auditor.tenant.secrets["app"]),
    )


@pytest.mark.parametrize("mode", GenerationMode, ids=str)
def test_every_operation_responds_as_described(running, mode):
    operations = [found.ok() for found in running.schema.get_all_operations()]
    assert len(operations) == OPERATIONS
    statuses = set()
    for operation in operations:
        try:
            cases = operation.as_strategy(generation_mode=mode)
            send_cases(running, operation, cases, statuses)
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE, "no request can be generated"
    assert statuses >= ({200, 404} if mode is GenerationMode.POSITIVE else {400})


def send_cases(running, operation, cases, statuses):
    @BOUNDED
    @given(case=cases, known=st.booleans())
    def one(case, known):
        for name, value in (("jti", running.jti), ("client_id", "app")):
            if known and name in case.path_parameters:
                case.path_parameters[name] = value
        response = case.call_and_validate(running.url, headers=running.headers(operation), checks=CHECKS)
        statuses.add(response.status_code)

    one()


def test_every_bearer_operation_responds_401_when_token_is_missing(running):
    operations = [found.ok() for found in running.schema.get_all_operations()]
    of_audit = [operation for operation in operations if "/audit/" in operation.path]
    assert len(of_audit) == 15
    for operation in of_audit:
        send_without_token(running, operation)


def send_without_token(running, operation):
    @settings(BOUNDED, max_examples=3)
    @given(case=operation.as_strategy())
    def one(case):
        case.headers.pop("Authorization", None)  # schemathesis invents one
        for headers in ({}, {"Authorization": f"Bearer {'t' * 128}"}):
            response = case.call_and_validate(running.url, headers=headers, checks=CHECKS)
            assert response.status_code == 401

    one()
