"""A response of one process takes effect in all others: nothing is cached beyond a batch."""

import asyncio

import pytest

from ledger.domain.errors import InvalidClient, UnauthorizedClient, Unavailable
from ledger.domain.events import ClientSettings
from tests.databases import fetch_value
from tests.integration.conftest import CAUSE, register_client


@pytest.fixture
async def here(start_process):
    return (await start_process()).issuers[0]


@pytest.fixture
async def there(start_process):
    return (await start_process()).issuers[0]


async def test_token_is_active_when_another_process_issued_it(here, there):
    client = await register_client(here)
    issued = await here.issuance.issue_token(client, None, CAUSE)
    found = await there.introspection.find_active_token(issued.access_token)
    assert found is not None
    assert str(found.jti) == issued.jti


async def test_revocation_takes_effect_at_once_in_another_process(here, there):
    client = await register_client(here)

    async def issue_look_revoke_look() -> bool:
        issued = await here.issuance.issue_token(client, None, CAUSE)
        before = await there.introspection.find_active_token(issued.access_token)
        await here.revocation.revoke_token(client, issued.access_token, CAUSE)
        after = await there.introspection.find_active_token(issued.access_token)
        return before is not None and after is None

    assert all(await asyncio.gather(*(issue_look_revoke_look() for _ in range(100))))


async def test_token_is_revoked_once_when_two_processes_revoke_it(here, there):
    client = await register_client(here)
    issued = await here.issuance.issue_token(client, None, CAUSE)
    positions = await asyncio.gather(
        here.revocation.revoke_token(client, issued.access_token, CAUSE),
        there.revocation.revoke_token(client, issued.access_token, CAUSE),
    )
    assert sum(position is not None for position in positions) == 1
    topics = [row.topic for row in await here.streams.read(0, 10)]
    assert topics.count("token.revoked") == 1


async def test_client_is_refused_when_another_process_disabled_it(here, there):
    await register_client(here)
    _, secret = await here.registry.add_generated_secret("shop", CAUSE)
    await there.authentication.authenticate("shop", secret)
    await here.registry.disable("shop", "left", CAUSE)
    with pytest.raises(InvalidClient):
        await there.authentication.authenticate("shop", secret)


async def test_cached_secret_is_refused_when_retired_elsewhere(here, there):
    await register_client(here)
    secret_id = await here.registry.add_chosen_secret("shop", "chosen-by-a-person", CAUSE)
    await there.authentication.authenticate("shop", "chosen-by-a-person")
    await here.registry.retire_secret("shop", secret_id, CAUSE)
    with pytest.raises(InvalidClient):
        await there.authentication.authenticate("shop", "chosen-by-a-person")


async def test_disabled_client_gets_no_token_when_authenticated_earlier(here, there):
    authenticated = await register_client(there)
    await here.registry.disable("shop", "stolen laptop", CAUSE)
    with pytest.raises(InvalidClient):
        await there.issuance.issue_token(authenticated, None, CAUSE)
    topics = [row.topic for row in await here.streams.read(0, 10)]
    assert "token.issued" not in topics


async def test_client_gets_its_current_scopes_when_changed_meanwhile(here, there):
    authenticated = await register_client(there, scopes=("read",), default_scopes=("read",))
    await here.registry.update("shop", ClientSettings(name="Shop"), CAUSE)
    with pytest.raises(UnauthorizedClient):
        await there.issuance.issue_token(authenticated, None, CAUSE)


async def test_tokens_and_clients_are_unknown_to_another_issuer(service):
    first, second = service.issuers
    client = await register_client(first)
    issued = await first.issuance.issue_token(client, None, CAUSE)
    assert await second.introspection.find_active_token(issued.access_token) is None
    assert await second.revocation.revoke_token(client, issued.access_token, CAUSE) is None
    assert await second.clients.get("shop") is None
    assert await first.introspection.find_active_token(issued.access_token) is not None


async def test_processes_agree_on_logs_when_started_together(start_process):
    processes = [await start_process() for _ in range(4)]
    heads = [issuer.streams.head() for process in processes for issuer in process.issuers]
    assert {head.position for head in await asyncio.gather(*heads)} == {0}
    await register_client(processes[0].issuers[1])
    assert await processes[3].issuers[1].clients.get("shop") is not None
    assert await processes[3].issuers[0].clients.get("shop") is None


async def test_reads_create_no_log_when_issuer_has_none(service, database):
    issuer = service.issuers[0]
    assert await issuer.clients.list_all() == []
    assert await issuer.clients.get("shop") is None
    assert await issuer.streams.read(0, 10) == []
    assert await fetch_value(database.service_dsn, "SELECT count(*) FROM logs") == 0


async def test_appends_are_refused_when_service_is_closed(service, client, issuer):
    await service.close()
    with pytest.raises(Unavailable):
        await issuer.issuance.issue_token(client, None, CAUSE)
