"""POST /oauth2/introspect: RFC 7662."""

from uuid import UUID

import pytest
from memory_service import MAIN, METHODS, OPERATOR, assert_error, both_ways

pytestmark = both_ways

INACTIVE = b'{"active":false}'


class TestActiveToken:
    @pytest.mark.parametrize("by", METHODS)
    async def test_response_has_every_member(self, caller, by):
        token = await caller.token(scope="write read")
        response = await caller.post("introspect", "rs", by=by, token=token)
        assert response.status == 200
        assert response.headers["Content-Type"] == "application/json"
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Pragma"] == "no-cache"
        body = await response.json()
        assert next(iter(body)) == "active"
        iat = int(caller.tenant.event_log._clock.now.timestamp())
        jti = body.pop("jti")
        assert str(UUID(jti)) == jti
        assert body == {
            "active": True,
            "sub": "app",
            "aud": ["app"],
            "nbf": iat,
            "scope": "write read",
            "iss": MAIN,
            "exp": iat + 600,
            "iat": iat,
            "client_id": "app",
            "token_type": "Bearer",
        }
        assert all(type(body[name]) is int for name in ("iat", "nbf", "exp"))

    async def test_response_has_no_scope_when_token_has_none(self, caller):
        assert "scope" not in await caller.introspect(await caller.token())

    async def test_response_has_the_audience_of_the_client(self, caller):
        assert (await caller.introspect(await caller.token("for-rs")))["aud"] == ["narrow-rs", "elsewhere"]

    async def test_response_has_the_same_jti_when_repeated(self, caller):
        token = await caller.token()
        assert (await caller.introspect(token))["jti"] == (await caller.introspect(token))["jti"]

    @pytest.mark.parametrize("hint", ["access_token", "refresh_token", "unheard_of", ""])
    async def test_is_found_when_the_hint_is_wrong(self, caller, hint):
        response = await caller.post("introspect", "rs", token=await caller.token(), token_type_hint=hint)
        assert (await response.json())["active"] is True

    async def test_stays_active_when_its_client_is_disabled(self, caller):
        token = await caller.token()
        await caller.tenant.issuer.registry.disable("app", "a test", OPERATOR)
        assert await caller.is_active(token)


class TestInactiveResponse:
    async def _is_answered(self, caller, token, client_id="rs"):
        response = await caller.post("introspect", client_id, token=token)
        assert response.status == 200
        assert await response.read() == INACTIVE

    @pytest.mark.parametrize("token", ["unknown", "t" * 128, "é", "%", "a b", "💥", "'; DROP TABLE event_log; --"])
    async def test_is_sent_when_token_is_unknown(self, caller, token):
        await self._is_answered(caller, token)

    async def test_is_sent_when_token_is_revoked(self, caller):
        token = await caller.token()
        await caller.post("revoke", token=token)
        await self._is_answered(caller, token)

    async def test_is_sent_when_token_reaches_its_exp(self, caller, service):
        token = await caller.token()
        service.clock.advance(599.29)  # .99 of the second before exp
        assert await caller.is_active(token)
        service.clock.advance(0.01)
        await self._is_answered(caller, token)

    async def test_is_sent_when_audience_does_not_include_the_caller(self, caller):
        await self._is_answered(caller, await caller.token("app"), "narrow-rs")
        assert (await caller.introspect(await caller.token("for-rs"), "narrow-rs"))["active"] is True

    async def test_is_sent_when_token_is_a_jti(self, caller):
        await self._is_answered(caller, (await caller.introspect(await caller.token()))["jti"])

    async def test_is_sent_when_one_character_differs(self, caller):
        token = await caller.token()
        await self._is_answered(caller, ("B" if token[0] == "A" else "A") + token[1:])


class TestRefusals:
    @pytest.mark.parametrize("by", METHODS)
    async def test_responds_403_when_client_may_not_introspect(self, caller, by):
        token = await caller.token()
        await assert_error(await caller.post("introspect", "app", by=by, token=token), 403, "unauthorized_client")

    @pytest.mark.parametrize("parameters", [{}, {"token": ""}], ids=["missing", "empty"])
    async def test_responds_400_when_token_is_missing(self, caller, parameters):
        description = await assert_error(await caller.post("introspect", "rs", **parameters), 400, "invalid_request")
        assert "'token'" in description

    async def test_responds_400_when_token_is_missing_and_client_may_not(self, caller):
        await assert_error(await caller.post("introspect", "app"), 400, "invalid_request")


async def test_introspection_appends_nothing(caller):
    token = await caller.token()
    before = (await caller.tenant.event_log.head()).position
    await caller.introspect(token)
    await caller.introspect("unknown")
    await caller.post("introspect", "app", token=token)
    assert (await caller.tenant.event_log.head()).position == before
