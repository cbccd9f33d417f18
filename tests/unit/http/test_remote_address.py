"""The remote address that is recorded."""

import pytest
from memory_service import FORM, MAIN, Caller, LedgerTestServer, MemoryService, basic

from api.http.app import create_app


@pytest.fixture
def recorded(aiohttp_client):
    """The address recorded for a token request with these X-Forwarded-For headers."""

    async def ask(*forwarded: str, behind_proxy: bool) -> str | None:
        service = await MemoryService(MAIN).start()
        http = await aiohttp_client(LedgerTestServer(create_app(service, behind_proxy=behind_proxy)))
        caller = Caller(http, service.tenants[0])
        headers = [("X-Forwarded-For", value) for value in forwarded]
        headers += [("Content-Type", FORM), ("Authorization", basic("app", caller.tenant.secrets["app"]))]
        response = await http.post(f"{caller.path}/oauth2/token", data="grant_type=client_credentials", headers=headers)
        assert response.status == 200
        (issued,) = await caller.tenant.events("token.issued")
        return issued.remote_address

    return ask


async def test_address_is_the_peer_when_not_behind_a_proxy(recorded):
    assert await recorded("203.0.113.9", behind_proxy=False) == "127.0.0.1"


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        (["203.0.113.9"], "203.0.113.9"),
        (["6.6.6.6, 203.0.113.9"], "203.0.113.9"),
        (["6.6.6.6", "203.0.113.9"], "203.0.113.9"),
        (["6.6.6.6,  2001:db8::1 "], "2001:db8::1"),
        (["[2001:db8::1]:4711"], "[2001:db8::1]:4711"),
    ],
)
async def test_address_is_the_last_forwarded_when_behind_a_proxy(recorded, forwarded, address):
    assert await recorded(*forwarded, behind_proxy=True) == address


@pytest.mark.parametrize(
    "forwarded", [[], [""], ["1.2.3.4,"], ["unknown"], ["_hidden"], ["1.2.3.4, " + "9" * 65], ["<x>"]]
)
async def test_address_is_the_peer_when_the_proxy_adds_none(recorded, forwarded):
    assert await recorded(*forwarded, behind_proxy=True) == "127.0.0.1"
