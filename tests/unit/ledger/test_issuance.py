"""Use case: issue an access token."""

import re

import pytest

from ledger.domain.clock import to_epoch_seconds
from ledger.domain.errors import InvalidClient, InvalidScope, UnauthorizedClient, Unavailable
from ledger.domain.secrets import hash_token
from ledger.use_cases.issuance import TokenIssuance
from ledger.use_cases.ports import ActiveToken
from tests.builders import CAUSE, NOW, seconds, settings
from tests.in_memory_issuer import OPERATOR, HookedWriter


@pytest.fixture
def issuance(ledger):
    return ledger.issuer.issuance


@pytest.fixture
def hooked(ledger):
    """An issuance before whose writes something else may happen."""
    writer = HookedWriter(ledger.writer)
    return writer, TokenIssuance(
        clients=ledger.clients,
        writer=writer,
        mapper=ledger.mapper,
        clock=ledger.clock,
        random_bytes=ledger.random_bytes,
    )


class TestIssuing:
    async def test_the_token_is_128_characters_and_lasts_what_is_configured(self, ledger, issuance):
        shop = await ledger.register(access_token_lifetime=14_400)

        issued = await issuance.issue_token(shop, ("read",), CAUSE)

        assert re.fullmatch(r"[A-Za-z0-9_-]{128}", issued.access_token)
        assert (issued.scope, issued.expires_in, issued.position) == (("read",), 14_400, 2)

    async def test_the_log_holds_its_digest_and_who_asked_and_never_the_token(self, ledger, issuance):
        issued = await issuance.issue_token(await ledger.register(), None, CAUSE)

        row = ledger.log[-1]
        event = ledger.mapper.decode(row).event
        assert event.digest == hash_token(issued.access_token)
        assert (row.actor, row.request_id, row.remote_address) == ("client:shop", "req-1", "192.0.2.7")
        assert issued.access_token.encode() not in row.payload

    async def test_the_stream_of_a_token_is_its_jti(self, ledger, issuance):
        issued = await issuance.issue_token(await ledger.register(), None, CAUSE)

        assert str(ledger.log[-1].stream_id) == issued.jti

    async def test_once_it_is_answered_the_view_shows_it(self, ledger, issuance):
        shop = await ledger.register(audience=("api",))

        issued = await issuance.issue_token(shop, ("write", "read"), CAUSE)

        found = await ledger.active_tokens.get(hash_token(issued.access_token))
        assert found == ActiveToken(
            jti=ledger.log[-1].stream_id,
            client_id="shop",
            subject="shop",
            scope="write read",
            audience=("api",),
            issued_at=to_epoch_seconds(NOW),
            expires_at=to_epoch_seconds(NOW) + 3600,
        )

    @pytest.mark.parametrize(("into_the_second", "expires_in"), [(0, 60), (0.000001, 59), (0.999999, 59)])
    async def test_expires_in_is_rounded_down_to_what_is_left(self, ledger, issuance, into_the_second, expires_in):
        shop = await ledger.register(access_token_lifetime=60)
        ledger.clock.now = NOW + seconds(into_the_second)

        assert (await issuance.issue_token(shop, None, CAUSE)).expires_in == expires_in

    async def test_expires_in_counts_from_the_answer_and_is_never_negative(self, ledger, hooked):
        writer, issuance = hooked
        shop = await ledger.register(access_token_lifetime=60)

        async def commit_slowly(after):
            ledger.clock.advance(seconds=after)

        writer.hooks.append(lambda: commit_slowly(20))
        assert (await issuance.issue_token(shop, None, CAUSE)).expires_in == 40
        writer.hooks.append(lambda: commit_slowly(61))
        assert (await issuance.issue_token(shop, None, CAUSE)).expires_in == 0

    async def test_every_token_is_another(self, ledger, issuance):
        shop = await ledger.register()

        issued = [await issuance.issue_token(shop, None, CAUSE) for _ in range(3)]

        assert len({one.access_token for one in issued}) == len({one.jti for one in issued}) == 3
        assert [one.position for one in issued] == [2, 3, 4]


class TestRefusing:
    @pytest.mark.parametrize(
        ("changes", "requested", "refusal"),
        [({"grant_types": ()}, None, UnauthorizedClient), ({}, ("admin",), InvalidScope)],
    )
    async def test_what_is_refused_is_not_recorded(self, ledger, issuance, changes, requested, refusal):
        shop = await ledger.register(**changes)

        with pytest.raises(refusal):
            await issuance.issue_token(shop, requested, CAUSE)
        assert ledger.topics == ["client.registered"]

    async def test_unavailable_is_passed_on(self, ledger, issuance):
        shop = await ledger.register()
        await ledger.writer.close()

        with pytest.raises(Unavailable):
            await issuance.issue_token(shop, None, CAUSE)


class TestAClientThatChangedSinceItAuthenticated:
    async def test_disabled_between_authentication_and_write_it_gets_nothing(self, ledger, hooked):
        writer, issuance = hooked
        shop = await ledger.register()
        writer.hooks.append(lambda: ledger.issuer.registry.disable("shop", "compromised", OPERATOR))

        with pytest.raises(InvalidClient):
            await issuance.issue_token(shop, None, CAUSE)
        assert ledger.topics == ["client.registered", "client.disabled"]

    async def test_a_scope_taken_away_meanwhile_is_not_issued(self, ledger, hooked):
        writer, issuance = hooked
        shop = await ledger.register()
        writer.hooks.append(lambda: ledger.issuer.registry.update("shop", settings(scopes=("read",)), OPERATOR))

        with pytest.raises(InvalidScope, match="'write'"):
            await issuance.issue_token(shop, ("write",), CAUSE)

    async def test_what_it_is_now_decides(self, ledger, hooked):
        writer, issuance = hooked
        shop = await ledger.register()
        writer.hooks.append(lambda: ledger.issuer.registry.update("shop", settings(access_token_lifetime=7), OPERATOR))

        assert (await issuance.issue_token(shop, None, CAUSE)).expires_in == 7
        assert ledger.topics == ["client.registered", "client.updated", "token.issued"]

    async def test_it_is_decided_again_as_often_as_the_client_changes(self, ledger, hooked):
        writer, issuance = hooked
        shop = await ledger.register()
        registry = ledger.issuer.registry
        writer.hooks += [
            lambda: registry.disable("shop", "by mistake", OPERATOR),
        ]
        await registry.add_generated_secret("shop", OPERATOR)
        writer.hooks += [lambda: registry.add_generated_secret("shop", OPERATOR)]
        writer.hooks.reverse()

        with pytest.raises(InvalidClient):
            await issuance.issue_token(shop, None, CAUSE)
        assert ledger.topics[-2:] == ["client.secret_added", "client.disabled"]

    async def test_the_token_of_a_refused_attempt_is_never_handed_out(self, ledger, hooked):
        writer, issuance = hooked
        shop = await ledger.register()
        writer.hooks.append(lambda: ledger.issuer.registry.add_generated_secret("shop", OPERATOR))

        issued = await issuance.issue_token(shop, None, CAUSE)

        assert ledger.topics.count("token.issued") == 1
        assert await ledger.active_tokens.get(hash_token(issued.access_token)) is not None
