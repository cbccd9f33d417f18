"""An event that an inline projection cannot apply: the request fails, nothing is recorded, all others go on."""

import asyncio

import pytest
from aiohttp.test_utils import TestClient, TestServer

from api.http.app import create_app
from projections.active_tokens import ActiveTokensProjection
from tests.integration.conftest import CAUSE, register_client


@pytest.fixture
async def post(service, issuer):
    secrets = {}
    for name in ("shop", "poison"):
        await register_client(issuer, name)
        _, secrets[name] = await issuer.registry.add_generated_secret(name, CAUSE)
    async with TestClient(TestServer(create_app(service))) as http:

        async def ask(client):
            form = {"grant_type": "client_credentials", "client_id": client, "client_secret": secrets[client]}
            async with http.post("/first/oauth2/token", data=form) as response:
                return response.status, await response.json()

        yield ask


async def test_it_is_answered_500_and_takes_nothing_along(post, service, issuer, monkeypatch):
    fold = ActiveTokensProjection.fold

    async def allergic(self, connection, log_id, events):
        if any(projected.event.client_id == "poison" for projected in events):
            msg = "no such thing"
            raise RuntimeError(msg)
        await fold(self, connection, log_id, events)

    monkeypatch.setattr(ActiveTokensProjection, "fold", allergic)
    monkeypatch.setattr(ActiveTokensProjection, "in_append", lambda *_: None)  # so that it is folded
    before = (await issuer.streams.head()).position
    answers = await asyncio.gather(*(post(client) for client in ("shop", "poison", "shop", "poison", "shop")))
    assert [status for status, _ in answers] == [200, 500, 200, 500, 200]
    assert {body["error"] for status, body in answers if status == 500} == {"server_error"}
    assert "no such thing" not in str(answers)
    assert (await issuer.streams.head()).position == before + 3
    (counts,) = [log.appends for log in service.counts().logs if log.log == "first"]
    assert counts.failed == 2

    monkeypatch.undo()
    assert (await post("poison"))[0] == 200
