"""Queries and round trips to the database, per request and per batch of requests."""

import asyncio

import pytest

from tests.cost import bounds
from tests.cost.conftest import CAUSE
from tests.cost.wire import CountingProxy, Counts

MANY = 64
ATTEMPTS = 20


@pytest.fixture
async def wire(database):
    async with CountingProxy(database.service_dsn).running() as proxy:
        yield proxy


@pytest.fixture
async def shop(wire, start_shop):
    return await start_shop(wire.dsn)


@pytest.fixture
def count(wire, shop):
    """Count the queries of a run with new tokens, once every connection has prepared its statements."""

    async def counted(run, tokens: int = 0) -> Counts:
        for _ in range(ATTEMPTS):
            issued = await shop.request_tokens(tokens)
            counts = wire.start()
            await run(issued)
            if not counts.prepared:
                return counts
        pytest.fail(f"statements are still prepared after {ATTEMPTS} runs; a connection should keep them")

    return counted


async def test_64_authentications_share_a_query(shop, count, hold):
    async def authenticate(_tokens):
        await asyncio.gather(
            *(shop.issuer.authentication.authenticate(shop.client.client_id, shop.secret) for _ in range(MANY))
        )

    hold((bounds.AUTHENTICATIONS, (await count(authenticate)).queries))


async def test_introspection_reads_client_and_token_in_one_query(shop, count, hold):
    async def introspect(tokens):
        (answer,) = await shop.post("introspect", {"token": tokens[0]})
        assert b'"active":true' in answer.replace(b" ", b"")

    hold((bounds.INTROSPECTION, (await count(introspect, 1)).queries))


async def test_64_introspections_share_a_query(shop, count, hold):
    async def introspect(tokens):
        introspection, client_id = shop.issuer.introspection, shop.client.client_id
        found = await asyncio.gather(*(introspection.introspect(client_id, shop.secret, token) for token in tokens))
        assert None not in found

    hold((bounds.INTROSPECTIONS, (await count(introspect, MANY)).queries))


async def test_issuance_reads_the_client_and_appends(shop, count, hold):
    counts = await count(lambda _: shop.request_tokens(1))
    hold((bounds.ISSUANCE, counts.queries), (bounds.ISSUANCE_WAITS, counts.round_trips))


async def test_64_issuances_share_a_query(shop, count, hold):
    async def issue(_tokens):
        issuance = shop.issuer.issuance
        await asyncio.gather(*(issuance.issue_token(shop.client, None, CAUSE) for _ in range(MANY)))

    counts = await count(issue)
    hold((bounds.ISSUANCES, counts.queries), (bounds.ISSUANCES_WAITS, counts.round_trips))


async def test_revocation_reads_client_token_and_grant_and_appends(shop, count, hold):
    counts = await count(lambda tokens: shop.post("revoke", {"token": tokens[0]}), 1)
    hold((bounds.REVOCATION, counts.queries), (bounds.REVOCATION_WAITS, counts.round_trips))


async def test_64_revocations_share_their_queries(shop, count, hold):
    async def revoke(tokens):
        positions = await asyncio.gather(
            *(shop.issuer.revocation.revoke_token(shop.client, token, CAUSE) for token in tokens)
        )
        assert None not in positions

    hold((bounds.REVOCATIONS, (await count(revoke, MANY)).queries))
