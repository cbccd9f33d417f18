"""Use case: revoke a token (RFC 7009), as its client or as an operator."""

import asyncio
from uuid import UUID

import pytest

from ledger.domain.errors import UnauthorizedClient, Unavailable, UnknownToken
from ledger.domain.identifiers import client_stream_id
from ledger.domain.secrets import hash_token
from ledger.use_cases.revocation import BY_CLIENT, TokenRevocation
from tests.builders import CAUSE, JTI
from tests.in_memory_issuer import OPERATOR, HookedWriter


@pytest.fixture
def revocation(ledger):
    return ledger.issuer.revocation


@pytest.fixture
def hooked(ledger):
    """A revocation before whose writes something else may happen."""
    writer = HookedWriter(ledger.writer)
    return writer, TokenRevocation(
        active_tokens=ledger.active_tokens,
        streams=ledger.event_log,
        writer=writer,
        mapper=ledger.mapper,
        clock=ledger.clock,
    )


@pytest.fixture
async def shop(ledger):
    return await ledger.register("shop", access_token_lifetime=60)


@pytest.fixture
async def token(ledger, shop):
    return await ledger.issuer.issuance.issue_token(shop, None, CAUSE)


async def is_active(ledger, token) -> bool:
    return await ledger.active_tokens.get(hash_token(token.access_token)) is not None


class TestByItsClient:
    async def test_once_it_is_answered_the_token_is_not_active(self, ledger, revocation, shop, token):
        position = await revocation.revoke_token(shop, token.access_token, CAUSE)

        assert position == 3
        assert not await is_active(ledger, token)

    async def test_the_log_says_who_and_why(self, ledger, revocation, shop, token):
        await revocation.revoke_token(shop, token.access_token, CAUSE)

        row = ledger.log[-1]
        event = ledger.mapper.decode(row).event
        assert (row.topic, row.stream_version, row.actor) == ("token.revoked", 2, "client:shop")
        assert (str(event.jti), event.reason, event.revoked_at) == (token.jti, BY_CLIENT, ledger.clock.now)

    async def test_revoking_twice_is_one_revocation(self, ledger, revocation, shop, token):
        await revocation.revoke_token(shop, token.access_token, CAUSE)

        assert await revocation.revoke_token(shop, token.access_token, CAUSE) is None
        assert ledger.topics.count("token.revoked") == 1

    async def test_many_at_once_are_one_revocation(self, ledger, revocation, shop, token):
        answers = await asyncio.gather(*(revocation.revoke_token(shop, token.access_token, CAUSE) for _ in range(5)))

        assert sorted(answers, key=str) == [3, None, None, None, None]
        assert ledger.topics.count("token.revoked") == 1

    async def test_one_that_came_between_is_seen_when_it_is_decided_again(
        self, ledger, revocation, hooked, shop, token
    ):
        writer, other = hooked
        writer.hooks.append(lambda: revocation.revoke_token(shop, token.access_token, CAUSE))

        assert await other.revoke_token(shop, token.access_token, CAUSE) is None
        assert ledger.topics.count("token.revoked") == 1
        assert not await is_active(ledger, token)

    @pytest.mark.parametrize(
        "text", ["", "unknown", "x" * 128, "\x00", "\ud800", "é" * 100_000], ids=lambda text: ascii(text[:9])
    )
    async def test_an_unknown_token_is_nothing_to_revoke(self, ledger, revocation, shop, text):
        assert await revocation.revoke_token(shop, text, CAUSE) is None
        assert ledger.topics == ["client.registered"]

    @pytest.mark.parametrize(("after", "revoked"), [(59.999999, True), (60, False), (3600, False)])
    async def test_a_token_can_be_revoked_until_the_instant_it_expires(self, ledger, shop, token, after, revoked):
        ledger.clock.advance(seconds=after)

        position = await ledger.issuer.revocation.revoke_token(shop, token.access_token, CAUSE)

        assert (position is not None) is revoked
        assert ("token.revoked" in ledger.topics) is revoked

    async def test_the_token_of_another_client_is_refused_and_stays_active(self, ledger, revocation, token):
        other = await ledger.register("other")

        with pytest.raises(UnauthorizedClient, match="issued to another client"):
            await revocation.revoke_token(other, token.access_token, CAUSE)
        assert await is_active(ledger, token)
        assert "token.revoked" not in ledger.topics

    @pytest.mark.parametrize("end", ["expired", "revoked"])
    async def test_nothing_is_told_of_another_clients_token_that_ended(self, ledger, revocation, shop, token, end):
        other = await ledger.register("other")
        if end == "expired":
            ledger.clock.advance(seconds=60)
        else:
            await revocation.revoke_token(shop, token.access_token, CAUSE)

        assert await revocation.revoke_token(other, token.access_token, CAUSE) is None

    async def test_the_others_of_the_client_stay_active(self, ledger, revocation, shop, token):
        another = await ledger.issuer.issuance.issue_token(shop, None, CAUSE)

        await revocation.revoke_token(shop, token.access_token, CAUSE)

        assert await is_active(ledger, another)

    async def test_unavailable_is_passed_on_and_the_token_stays_active(self, ledger, revocation, shop, token):
        await ledger.writer.close()

        with pytest.raises(Unavailable):
            await revocation.revoke_token(shop, token.access_token, CAUSE)
        assert await is_active(ledger, token)


class TestByAnOperator:
    async def test_any_token_is_revoked_by_its_jti_with_a_reason(self, ledger, revocation, token):
        assert await revocation.revoke_by_jti(UUID(token.jti), "leaked in a log", OPERATOR) == 3

        row = ledger.log[-1]
        assert (row.actor, ledger.mapper.decode(row).event.reason) == ("operator:ana", "leaked in a log")
        assert not await is_active(ledger, token)

    async def test_revoking_twice_is_one_revocation(self, ledger, revocation, token):
        await revocation.revoke_by_jti(UUID(token.jti), "leaked", OPERATOR)

        assert await revocation.revoke_by_jti(UUID(token.jti), "again", OPERATOR) is None
        assert ledger.topics.count("token.revoked") == 1

    async def test_an_expired_token_is_nothing_to_revoke(self, ledger, revocation, token):
        ledger.clock.advance(seconds=60)

        assert await revocation.revoke_by_jti(UUID(token.jti), "late", OPERATOR) is None

    async def test_a_jti_that_was_never_issued_is_refused(self, revocation):
        with pytest.raises(UnknownToken, match=f"No token with jti {JTI} was ever issued"):
            await revocation.revoke_by_jti(JTI, "guess", OPERATOR)

    async def test_the_stream_of_a_client_is_no_jti(self, ledger, revocation, shop):
        with pytest.raises(UnknownToken):
            await revocation.revoke_by_jti(client_stream_id("shop"), "guess", OPERATOR)
        assert ledger.topics == ["client.registered"]
