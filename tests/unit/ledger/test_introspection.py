"""Use case: introspect a token (RFC 7662)."""

from unittest.mock import AsyncMock

import pytest
from msgspec.structs import replace

from ledger.domain.errors import InvalidClient, UnauthorizedClient, Unavailable
from ledger.use_cases.introspection import TokenIntrospection
from tests.builders import CAUSE
from tests.in_memory_issuer import OPERATOR


@pytest.fixture
async def shop(ledger):
    return await ledger.register("shop", audience=("api",), access_token_lifetime=60)


@pytest.fixture
async def token(ledger, shop):
    """A token of `shop` for the resource server `api`, for 60 seconds."""
    return await ledger.issuer.issuance.issue_token(shop, ("read",), CAUSE)


@pytest.fixture
def introspect_as(ledger):
    """Register a client with a policy, or give `shop` the policy, and introspect as this client."""

    async def introspect(client_id: str, policy: str, text: str):
        if client_id == "shop":
            settings = (await ledger.clients.get("shop")).settings
            await ledger.issuer.registry.update("shop", replace(settings, introspection=policy), OPERATOR)
        else:
            await ledger.register(client_id, introspection=policy)
        _, secret = await ledger.issuer.registry.add_generated_secret(client_id, OPERATOR)
        return await ledger.issuer.introspection.introspect(client_id, secret, text)

    return introspect


class TestVisibility:
    @pytest.mark.parametrize(
        ("client_id", "policy", "seen"),
        [
            ("gateway", "issuer", True),
            ("shop", "issuer", True),
            ("api", "audience", True),
            ("gateway", "audience", False),
            ("shop", "audience", False),
        ],
    )
    async def test_token_is_visible_by_policy_and_audience(self, introspect_as, token, client_id, policy, seen):
        assert (await introspect_as(client_id, policy, token.access_token) is not None) is seen

    @pytest.mark.parametrize("known", [True, False])
    async def test_client_is_refused_when_it_may_not_introspect(self, introspect_as, token, known):
        with pytest.raises(UnauthorizedClient, match="may not introspect"):
            await introspect_as("shop", "none", token.access_token if known else "unknown")

    async def test_client_is_refused_when_its_secret_is_wrong(self, ledger, token):
        await ledger.register("gateway", introspection="issuer")

        with pytest.raises(InvalidClient):
            await ledger.issuer.introspection.introspect("gateway", "wrong", token.access_token)


class TestActiveTokens:
    @pytest.fixture
    def find(self, ledger):
        return ledger.issuer.introspection.find_active_token

    async def test_token_is_returned_as_issued(self, introspect_as, token):
        found = await introspect_as("api", "audience", token.access_token)

        assert (str(found.jti), found.client_id, found.subject) == (token.jti, "shop", "shop")
        assert (found.scope, found.audience) == ("read", ("api",))
        assert found.expires_at - found.issued_at == 60

    @pytest.mark.parametrize(("after", "active"), [(0, True), (59.999999, True), (60, False), (60.000001, False)])
    async def test_token_ends_at_the_instant_it_expires(self, ledger, introspect_as, token, after, active):
        ledger.clock.advance(seconds=after)

        assert (await introspect_as("api", "issuer", token.access_token) is not None) is active
        assert (await ledger.issuer.introspection.find_active_token(token.access_token) is not None) is active

    async def test_token_is_inactive_when_revoked(self, ledger, find, shop, token):
        await ledger.issuer.revocation.revoke_token(shop, token.access_token, CAUSE)

        assert await find(token.access_token) is None

    async def test_token_is_inactive_when_unknown_or_altered(self, find, token):
        text = token.access_token
        altered = [text[:-1], text + "A", text.swapcase(), token.jti]
        for unknown in ("", "unknown", "\x00", "\ud800", "x" * 10_000_000, *altered):
            assert await find(unknown) is None

    async def test_token_stays_active_when_its_client_is_disabled(self, ledger, find, token):
        await ledger.issuer.registry.disable("shop", "moved", CAUSE)

        assert await find(token.access_token) is not None


async def test_introspection_appends_nothing(ledger, token):
    await ledger.register("gateway", introspection="issuer")
    _, secret = await ledger.issuer.registry.add_generated_secret("gateway", OPERATOR)
    before = list(ledger.log)

    for text in (token.access_token, "unknown"):
        await ledger.issuer.introspection.introspect("gateway", secret, text)

    assert ledger.log == before


async def test_introspection_fails_when_the_view_is_unavailable(ledger):
    view = AsyncMock()
    view.get.side_effect = Unavailable("away")
    introspection = TokenIntrospection(authentication=AsyncMock(), active_tokens=view, clock=ledger.clock)

    with pytest.raises(Unavailable):
        await introspection.introspect("api", "secret", "any")
