"""Use case: issue an access token."""

import re

import pytest

from ledger.domain.clock import to_epoch_seconds
from ledger.domain.errors import InvalidClient, InvalidScope, UnauthorizedClient, Unavailable
from ledger.domain.secrets import hash_token
from ledger.use_cases.ports import ActiveToken
from tests.builders import CAUSE, NOW, seconds, settings
from tests.in_memory_issuer import OPERATOR


@pytest.fixture
def issuance(ledger):
    return ledger.issuer.issuance


class TestIssue:
    async def test_log_holds_digest_and_cause_but_never_the_token(self, ledger, issuance):
        issued = await issuance.issue_token(await ledger.register(), None, CAUSE)

        row = ledger.log[-1]
        assert str(row.stream_id) == issued.jti
        assert ledger.mapper.decode(row).event.digest == hash_token(issued.access_token)
        assert (row.actor, row.request_id, row.remote_address) == ("client:shop", "req-1", "192.0.2.7")
        assert issued.access_token.encode() not in row.payload

    async def test_token_is_active_when_issue_returns(self, ledger, issuance):
        shop = await ledger.register(audience=("api",))

        issued = await issuance.issue_token(shop, ("write", "read"), CAUSE)

        assert await ledger.active_tokens.get(hash_token(issued.access_token)) == ActiveToken(
            jti=ledger.log[-1].stream_id,
            client_id="shop",
            subject="shop",
            scope="write read",
            audience=("api",),
            issued_at=to_epoch_seconds(NOW),
            expires_at=to_epoch_seconds(NOW) + 3600,
        )

    @pytest.mark.parametrize(("into_the_second", "expires_in"), [(0, 60), (0.000001, 59), (0.999999, 59)])
    async def test_expires_in_is_rounded_down(self, ledger, issuance, into_the_second, expires_in):
        shop = await ledger.register(access_token_lifetime=60)
        ledger.clock.now = NOW + seconds(into_the_second)

        assert (await issuance.issue_token(shop, None, CAUSE)).expires_in == expires_in

    @pytest.mark.parametrize(("after", "expires_in"), [(20, 40), (61, 0)])
    async def test_expires_in_counts_from_the_response(self, ledger, issuance, before_write, after, expires_in):
        shop = await ledger.register(access_token_lifetime=60)

        async def commit_slowly():
            ledger.clock.advance(after)

        before_write(issuance, commit_slowly)
        assert (await issuance.issue_token(shop, None, CAUSE)).expires_in == expires_in

    async def test_tokens_have_128_characters_and_differ(self, ledger, issuance):
        shop = await ledger.register(access_token_lifetime=14_400)

        issued = [await issuance.issue_token(shop, ("read",), CAUSE) for _ in range(3)]

        assert all(re.fullmatch(r"[A-Za-z0-9_-]{128}", one.access_token) for one in issued)
        assert {(one.scope, one.expires_in) for one in issued} == {(("read",), 14_400)}
        assert len({one.access_token for one in issued}) == len({one.jti for one in issued}) == 3
        assert [one.position for one in issued] == [2, 3, 4]


@pytest.mark.parametrize(
    ("changes", "requested", "refusal"),
    [({"grant_types": ()}, None, UnauthorizedClient), ({}, ("admin",), InvalidScope), ({}, None, Unavailable)],
)
async def test_nothing_is_recorded_when_refused(ledger, issuance, changes, requested, refusal):
    shop = await ledger.register(**changes)
    if refusal is Unavailable:
        await ledger.writer.close()

    with pytest.raises(refusal):
        await issuance.issue_token(shop, requested, CAUSE)
    assert ledger.topics == ["client.registered"]


class TestClientChangedAfterAuthentication:
    @pytest.fixture
    def registry(self, ledger):
        return ledger.issuer.registry

    async def test_client_gets_no_token_when_disabled(self, ledger, issuance, registry, before_write):
        shop = await ledger.register()
        before_write(issuance, lambda: registry.disable("shop", "compromised", OPERATOR))

        with pytest.raises(InvalidClient):
            await issuance.issue_token(shop, None, CAUSE)
        assert ledger.topics == ["client.registered", "client.disabled"]

    async def test_scope_is_refused_when_removed(self, ledger, issuance, registry, before_write):
        shop = await ledger.register()
        before_write(issuance, lambda: registry.update("shop", settings(scopes=("read",)), OPERATOR))

        with pytest.raises(InvalidScope, match="'write'"):
            await issuance.issue_token(shop, ("write",), CAUSE)

    async def test_token_has_the_new_settings_when_updated(self, ledger, issuance, registry, before_write):
        shop = await ledger.register()
        before_write(issuance, lambda: registry.update("shop", settings(access_token_lifetime=7), OPERATOR))

        issued = await issuance.issue_token(shop, None, CAUSE)

        assert issued.expires_in == 7
        assert ledger.topics == ["client.registered", "client.updated", "token.issued"]
        assert await ledger.active_tokens.get(hash_token(issued.access_token)) is not None

    async def test_decision_is_taken_again_after_every_change(self, ledger, issuance, registry, before_write):
        shop = await ledger.register()
        await registry.add_generated_secret("shop", OPERATOR)
        before_write(
            issuance,
            lambda: registry.add_generated_secret("shop", OPERATOR),
            lambda: registry.disable("shop", "by mistake", OPERATOR),
        )

        with pytest.raises(InvalidClient):
            await issuance.issue_token(shop, None, CAUSE)
        assert ledger.topics[-2:] == ["client.secret_added", "client.disabled"]
