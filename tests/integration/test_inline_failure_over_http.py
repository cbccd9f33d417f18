"""If an inline projection cannot apply an event, its request fails, nothing is recorded, and other requests succeed."""

import asyncio

import pytest
from aiohttp.test_utils import TestClient, TestServer

from api.http.app import create_app
from tests.integration.conftest import CAUSE, register_client


@pytest.fixture
async def post(service, issuer):
    secrets = {}
    for name in ("shop", "failing"):
        await register_client(issuer, name)
        _, secrets[name] = await issuer.registry.add_generated_secret(name, CAUSE)
    async with TestClient(TestServer(create_app(service))) as http:

        async def request_token(client):
            form = {"grant_type": "client_credentials", "client_id": client, "client_secret": secrets[client]}
            async with http.post("/first/oauth2/token", data=form) as response:
                return response.status, await response.json()

        yield request_token


async def test_request_is_500_when_its_event_cannot_be_applied(post, service, issuer, superuser):
    await superuser.execute("ALTER TABLE active_tokens ADD CONSTRAINT no_such_thing CHECK (client_id <> 'failing')")
    before = (await issuer.streams.head()).position
    responses = await asyncio.gather(*(post(client) for client in ("shop", "failing", "shop", "failing", "shop")))
    assert [status for status, _ in responses] == [200, 500, 200, 500, 200]
    assert {body["error"] for status, body in responses if status == 500} == {"server_error"}
    assert "no_such_thing" not in str(responses)
    assert (await issuer.streams.head()).position == before + 3
    (counts,) = [log.appends for log in service.counts().logs if log.log == "first"]
    assert counts.failed == 2

    await superuser.execute("ALTER TABLE active_tokens DROP CONSTRAINT no_such_thing")
    assert (await post("failing"))[0] == 200
