"""The position and instant that audit responses are as of, and when a query waits for them."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from ledger.domain.secrets import hash_token
from ledger.use_cases.audit import AheadOfLog, EventQuery, NotCaughtUp
from projections.audit import checkpoint, events, tokens
from tests.databases import connect
from tests.integration.conftest import CAUSE, register_client

ISSUED = EventQuery(types=("token.issued",))


@pytest.fixture
async def trail(issuer):
    return issuer.audit


@pytest.fixture
async def owner(database):
    async with connect(database.owner_dsn) as connection:
        yield connection


async def issue(issuer, client):
    return await issuer.issuance.issue_token(client, None, CAUSE)


async def test_moment_is_position_0_when_log_is_empty(trail):
    assert (await trail.moments.resolve()).position == 0
    assert (await trail.moments.resolve(datetime.now(UTC) - timedelta(days=1))).position == 0


async def test_now_is_the_checkpoint_of_the_projection(service, issuer, client, trail):
    await service.catch_up()
    await issue(issuer, client)
    assert (await trail.moments.resolve()).position == 1
    await service.catch_up()
    assert (await trail.moments.resolve()).position == 2


async def test_query_is_refused_when_position_is_beyond_head(trail, client):
    with pytest.raises(AheadOfLog, match="2 is beyond the head of the log, which is at 1"):
        await trail.moments.resolve(2)
    with pytest.raises(AheadOfLog):
        await trail.moments.resolve(min_position=2)
    with pytest.raises(AheadOfLog):
        await trail.events.find_events(EventQuery(), after=0, limit=1, min_position=2)


async def test_events_by_type_are_refused_when_the_index_lags_too_much(service, client, trail, monkeypatch):
    monkeypatch.setattr(events, "MAX_LAG_EVENTS", 0)
    monkeypatch.setattr(checkpoint, "CATCH_UP_TIMEOUT_SECONDS", 0.0)
    registered = EventQuery(types=("client.registered",))
    with pytest.raises(NotCaughtUp, match="event_index is at position 0 and has not reached 1 yet"):
        await trail.events.find_events(registered, after=0, limit=1)
    await service.catch_up()
    page = await trail.events.find_events(registered, after=0, limit=10)
    assert ([row.position for row in page.events], page.position) == ([1], 1)


async def test_moment_is_refused_when_instant_is_in_the_future(trail, client):
    with pytest.raises(AheadOfLog, match="is in the future: it is 20"):
        await trail.moments.resolve(datetime.now(UTC) + timedelta(hours=1))


async def test_moment_waits_when_a_batch_is_being_recorded(service, issuer, client, trail, owner):
    """A batch in progress already has an instant, but its positions are not visible yet."""
    await service.catch_up()
    transaction = owner.transaction()
    await transaction.start()
    await owner.execute("SELECT FROM log_head WHERE log_id = 1 FOR UPDATE")
    recorded_at = await owner.fetchval("SELECT clock_timestamp()")
    await asyncio.sleep(0.01)
    resolving = asyncio.create_task(trail.moments.resolve(datetime.now(UTC)))
    await asyncio.sleep(0.05)
    assert not resolving.done()
    await owner.execute("UPDATE log_head SET position = 2, recorded_at = $1 WHERE log_id = 1", recorded_at)
    await owner.execute(
        """
        INSERT INTO event_log (log_id, position, recorded_at, stream_id, stream_version, schema_version, topic, payload)
        VALUES (1, 2, $1, gen_random_uuid(), 1, 1, 'thing.happened', '{}')
        """,
        recorded_at,
    )
    await transaction.commit()
    await service.catch_up()
    assert (await resolving).position == 2


async def test_moment_does_not_wait_when_instant_is_long_ago(service, client, trail, owner):
    await service.catch_up()
    async with owner.transaction():
        await owner.execute("SELECT FROM log_head FOR UPDATE")
        moment = await trail.moments.resolve(datetime.now(UTC) - timedelta(hours=1))
    assert moment.position == 0


async def test_jti_is_found_or_refused_when_projection_lags(service, issuer, client, trail, monkeypatch):
    active = await issue(issuer, client)
    digest = hash_token(active.access_token)
    assert str(await trail.tokens.find_jti(digest)) == active.jti
    await issuer.revocation.revoke_token(client, active.access_token, CAUSE)
    monkeypatch.setattr(checkpoint, "CATCH_UP_TIMEOUT_SECONDS", 0.05)
    with pytest.raises(NotCaughtUp):  # not None
        await trail.tokens.find_jti(digest)
    await service.catch_up()
    assert str(await trail.tokens.find_jti(digest)) == active.jti
    assert await trail.tokens.find_jti(b"x" * 32) is None


async def test_jti_is_found_when_projection_catches_up_during_search(service, issuer, client, trail, monkeypatch):
    token = await issue(issuer, client)
    await issuer.revocation.revoke_token(client, token.access_token, CAUSE)
    find = tokens.find_jti

    async def find_then_catch_up(log, digest):
        found = await find(log, digest)
        await service.catch_up()
        return found

    monkeypatch.setattr(tokens, "find_jti", find_then_catch_up)
    assert str(await trail.tokens.find_jti(hash_token(token.access_token))) == token.jti


async def test_token_is_not_found_when_id_is_of_a_client(trail, client):
    assert await trail.events.read_token_events(client.id) == ()
    assert await trail.tokens.find_token(client.id) is None


async def test_events_reach_every_waiting_caller_when_recorded(issuer, client, trail):
    waiting = [asyncio.create_task(trail.events.wait_for_events(ISSUED, after=1, seconds=20)) for _ in range(20)]
    other = asyncio.create_task(
        trail.events.wait_for_events(EventQuery(types=("client.disabled",)), after=1, seconds=20)
    )
    token = await issue(issuer, client)
    for page in await asyncio.gather(*waiting):
        assert [row.position for row in page.events] == [token.position]
    assert not other.done()
    await issuer.registry.disable("shop", "closed", CAUSE)
    assert [row.topic for row in (await other).events] == ["client.disabled"]


async def test_waiting_starts_in_the_log_when_position_is_old(issuer, client, trail):
    tokens = [await issue(issuer, client) for _ in range(3)]
    page = await trail.events.wait_for_events(ISSUED, after=0, seconds=20)
    assert [row.position for row in page.events] == [token.position for token in tokens]


async def test_page_is_empty_with_its_position_when_nothing_comes(issuer, client, trail):
    await register_client(issuer, "other")
    page = await trail.events.wait_for_events(ISSUED, after=0, seconds=0.01)
    assert (page.events, page.position) == ((), 2)
