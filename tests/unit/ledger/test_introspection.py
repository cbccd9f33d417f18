"""Use case: say whether a token is active (RFC 7662)."""

from unittest.mock import AsyncMock

import pytest

from ledger.domain.errors import UnauthorizedClient, Unavailable
from ledger.use_cases.introspection import TokenIntrospection
from tests.builders import CAUSE, client


@pytest.fixture
async def token(ledger):
    """A token of `shop` for the resource server `api`, for 60 seconds."""
    shop = await ledger.register("shop", audience=("api",), access_token_lifetime=60)
    return await ledger.issuer.issuance.by_client_credentials(shop, ("read",), CAUSE)


def asking(client_id: str, introspection: str):
    return client(client_id, introspection=introspection)


async def introspect(ledger, caller, text: str):
    return await ledger.issuer.introspection.by_client(caller, text)


class TestWhoMaySee:
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
    async def test_by_policy_and_audience(self, ledger, token, client_id, policy, seen):
        found = await introspect(ledger, asking(client_id, policy), token.access_token)

        assert (found is not None) is seen

    @pytest.mark.parametrize("text", ["", "unknown"])
    async def test_a_client_that_may_not_introspect_is_refused_whatever_it_asks(self, ledger, token, text):
        for asked in (text, token.access_token):
            with pytest.raises(UnauthorizedClient, match="may not introspect"):
                await introspect(ledger, asking("shop", "none"), asked)


class TestWhatIsActive:
    async def test_an_active_token_is_answered_as_it_was_issued(self, ledger, token):
        found = await introspect(ledger, asking("api", "audience"), token.access_token)

        assert (str(found.jti), found.client_id, found.subject) == (token.jti, "shop", "shop")
        assert (found.scope, found.audience) == ("read", ("api",))
        assert found.expires_at - found.issued_at == 60

    @pytest.mark.parametrize(("after", "active"), [(0, True), (59.999999, True), (60, False), (60.000001, False)])
    async def test_a_token_ends_at_the_instant_it_expires(self, ledger, token, after, active):
        ledger.clock.advance(seconds=after)

        found = await introspect(ledger, asking("api", "issuer"), token.access_token)

        assert (found is not None) is active

    async def test_a_revoked_token_is_not_active(self, ledger, token):
        shop = await ledger.clients.get("shop")
        await ledger.issuer.revocation.by_client(shop, token.access_token, CAUSE)

        assert await introspect(ledger, asking("api", "issuer"), token.access_token) is None

    @pytest.mark.parametrize("text", ["", "unknown", "\x00", "\ud800", "x" * 10_000_000], ids=lambda t: ascii(t[:9]))
    async def test_an_unknown_token_is_not_active(self, ledger, token, text):
        assert await introspect(ledger, asking("api", "issuer"), text) is None

    async def test_a_part_of_a_token_is_not_active(self, ledger, token):
        for text in (token.access_token[:-1], token.access_token + "A", token.access_token.swapcase(), token.jti):
            assert await introspect(ledger, asking("api", "issuer"), text) is None

    async def test_disabling_a_client_leaves_its_tokens_active(self, ledger, token):
        await ledger.issuer.registry.disable("shop", "moved", CAUSE)

        assert await introspect(ledger, asking("api", "issuer"), token.access_token) is not None


async def test_nothing_is_ever_recorded(ledger, token):
    before = list(ledger.log)

    for text in (token.access_token, "unknown"):
        await introspect(ledger, asking("api", "issuer"), text)

    assert ledger.log == before


async def test_unavailable_is_passed_on(ledger):
    view = AsyncMock()
    view.get.side_effect = Unavailable("away")
    introspection = TokenIntrospection(active_tokens=view, clock=ledger.clock)

    with pytest.raises(Unavailable):
        await introspection.by_client(asking("api", "issuer"), "any")
