"""Use case: revoke a token (RFC 7009), as its client or as an operator."""

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

from ledger.domain.errors import UnauthorizedClient, Unavailable, UnknownToken
from ledger.domain.identifiers import client_stream_id
from ledger.domain.secrets import hash_token
from ledger.use_cases.revocation import BY_CLIENT
from tests.builders import CAUSE, JTI
from tests.in_memory_issuer import OPERATOR


@pytest.fixture
def revocation(ledger):
    return ledger.issuer.revocation


@pytest.fixture
async def shop(ledger):
    return await ledger.register("shop", access_token_lifetime=60)


@pytest.fixture
async def token(ledger, shop):
    return await ledger.issuer.issuance.issue_token(shop, None, CAUSE)


async def is_active(ledger, token) -> bool:
    return await ledger.active_tokens.get(hash_token(token.access_token)) is not None


class TestByClient:
    async def test_only_this_token_is_inactive_when_revoke_returns(self, ledger, revocation, shop, token):
        another = await ledger.issuer.issuance.issue_token(shop, None, CAUSE)

        assert await revocation.revoke_token(shop, token.access_token, CAUSE) == 4

        assert [await is_active(ledger, one) for one in (token, another)] == [False, True]
        row = ledger.log[-1]
        event = ledger.mapper.decode(row).event
        assert (row.topic, row.stream_version, row.actor) == ("token.revoked", 2, "client:shop")
        assert (str(event.jti), event.reason, event.revoked_at) == (token.jti, BY_CLIENT, ledger.clock.now)

    async def test_one_event_is_recorded_when_revoked_many_times_at_once(self, ledger, revocation, shop, token):
        results = await asyncio.gather(*(revocation.revoke_token(shop, token.access_token, CAUSE) for _ in range(5)))

        assert sorted(results, key=str) == [3, None, None, None, None]
        assert ledger.topics.count("token.revoked") == 1

    async def test_decision_is_taken_again_when_another_came_first(self, ledger, revocation, before_write, shop, token):
        other = replace(revocation)
        before_write(other, lambda: revocation.revoke_token(shop, token.access_token, CAUSE))

        assert await other.revoke_token(shop, token.access_token, CAUSE) is None
        assert ledger.topics.count("token.revoked") == 1
        assert not await is_active(ledger, token)

    @pytest.mark.parametrize(
        "text", ["", "unknown", "x" * 128, "\x00", "\ud800", "é" * 100_000], ids=lambda text: ascii(text[:9])
    )
    async def test_nothing_is_revoked_when_the_token_is_unknown(self, ledger, revocation, shop, text):
        assert await revocation.revoke_token(shop, text, CAUSE) is None
        assert ledger.topics == ["client.registered"]

    @pytest.mark.parametrize(("after", "revoked"), [(59.999999, True), (60, False), (3600, False)])
    async def test_token_can_be_revoked_until_it_expires(self, ledger, shop, token, after, revoked):
        ledger.clock.advance(after)

        position = await ledger.issuer.revocation.revoke_token(shop, token.access_token, CAUSE)

        assert (position is not None) is revoked
        assert ("token.revoked" in ledger.topics) is revoked

    @pytest.mark.parametrize("end", ["expired", "revoked"])
    async def test_other_client_cannot_revoke_nor_learn_of_an_ended_token(self, ledger, revocation, shop, token, end):
        other = await ledger.register("other")
        with pytest.raises(UnauthorizedClient, match="issued to another client"):
            await revocation.revoke_token(other, token.access_token, CAUSE)
        assert await is_active(ledger, token)
        assert "token.revoked" not in ledger.topics

        if end == "expired":
            ledger.clock.advance(60)
        else:
            await revocation.revoke_token(shop, token.access_token, CAUSE)
        assert await revocation.revoke_token(other, token.access_token, CAUSE) is None

    async def test_token_stays_active_when_the_log_is_unavailable(self, ledger, revocation, shop, token):
        await ledger.writer.close()

        with pytest.raises(Unavailable):
            await revocation.revoke_token(shop, token.access_token, CAUSE)
        assert await is_active(ledger, token)


class TestByJti:
    async def test_token_is_revoked_once_with_the_reason(self, ledger, revocation, token):
        assert await revocation.revoke_by_jti(UUID(token.jti), "leaked in a log", OPERATOR) == 3
        assert await revocation.revoke_by_jti(UUID(token.jti), "again", OPERATOR) is None

        row = ledger.log[-1]
        assert (row.actor, ledger.mapper.decode(row).event.reason) == ("operator:ana", "leaked in a log")
        assert ledger.topics.count("token.revoked") == 1
        assert not await is_active(ledger, token)

    @pytest.mark.parametrize("jti", [JTI, client_stream_id("shop")], ids=["unknown", "stream of a client"])
    async def test_jti_is_refused_when_never_issued(self, ledger, revocation, shop, jti):
        with pytest.raises(UnknownToken, match=f"No token with jti {jti} was ever issued"):
            await revocation.revoke_by_jti(jti, "guess", OPERATOR)
        assert ledger.topics == ["client.registered"]
