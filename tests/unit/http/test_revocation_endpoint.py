"""POST /oauth2/revoke: RFC 7009."""

import pytest
from memory_service import METHODS, assert_error, both_ways

pytestmark = both_ways


async def assert_done(response) -> None:
    assert response.status == 200
    assert await response.read() == b""
    assert "Content-Type" not in response.headers
    assert response.headers["Content-Length"] == "0"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Pragma"] == "no-cache"


class TestRevocation:
    @pytest.mark.parametrize("by", METHODS)
    async def test_makes_the_token_inactive(self, caller, by):
        token = await caller.token()
        assert await caller.is_active(token)
        await assert_done(await caller.post("revoke", by=by, token=token))
        assert not await caller.is_active(token)

    async def test_records_nothing_when_already_revoked(self, caller):
        token = await caller.token()
        await assert_done(await caller.post("revoke", token=token))
        again = await caller.post("revoke", token=token)
        await assert_done(again)
        assert "Token-Ledger-Position" not in again.headers
        assert len(await caller.tenant.events("token.revoked")) == 1

    async def test_records_nothing_when_token_is_expired(self, caller, service):
        token = await caller.token()
        service.clock.advance(600)
        await assert_done(await caller.post("revoke", token=token))
        assert await caller.tenant.events("token.revoked") == []

    @pytest.mark.parametrize("token", ["unknown", "t" * 128, "💥"])
    async def test_responds_200_when_token_is_unknown(self, caller, token):
        await assert_done(await caller.post("revoke", token=token))

    @pytest.mark.parametrize("hint", ["access_token", "refresh_token", "unheard_of", ""])
    async def test_succeeds_when_the_hint_is_wrong(self, caller, hint):
        token = await caller.token()
        await assert_done(await caller.post("revoke", token=token, token_type_hint=hint))
        assert not await caller.is_active(token)

    async def test_response_has_the_position_and_event_has_the_cause(self, caller):
        response = await caller.post("revoke", token=await caller.token())
        (revoked,) = await caller.tenant.events("token.revoked")
        assert response.headers["Token-Ledger-Position"] == str(revoked.position)
        assert revoked.actor == "client:app"
        assert revoked.request_id == response.headers["X-Request-Id"]
        assert revoked.remote_address == "127.0.0.1"

    async def test_leaves_other_tokens_of_the_client_active(self, caller):
        token, kept = await caller.token(), await caller.token()
        await caller.post("revoke", token=token)
        assert await caller.is_active(kept)


class TestRefusals:
    @pytest.mark.parametrize("by", METHODS)
    async def test_responds_400_when_token_is_of_another_client(self, caller, by):
        token = await caller.token("app")
        await assert_error(await caller.post("revoke", "app2", by=by, token=token), 400, "unauthorized_client")
        assert await caller.is_active(token)

    async def test_responds_400_when_caller_may_only_introspect(self, caller):
        token = await caller.token("app")
        await assert_error(await caller.post("revoke", "rs", token=token), 400, "unauthorized_client")
        assert await caller.is_active(token)

    @pytest.mark.parametrize("parameters", [{}, {"token": ""}], ids=["missing", "empty"])
    async def test_responds_400_when_token_is_missing(self, caller, parameters):
        description = await assert_error(await caller.post("revoke", **parameters), 400, "invalid_request")
        assert "'token'" in description
