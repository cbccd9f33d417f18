"""POST /oauth2/token: RFC 6749 §4.4 and §5."""

import re

import pytest
from memory_service import METHODS, OPERATOR, assert_error, both_ways
from msgspec.structs import replace

pytestmark = both_ways

GRANT = "client_credentials"


class TestTokenResponse:
    @pytest.mark.parametrize("by", METHODS)
    async def test_conforms_to_rfc_6749_section_5_1(self, caller, by):
        response = await caller.post("token", by=by, grant_type=GRANT, scope="read write")
        assert response.status == 200
        assert response.headers["Content-Type"] == "application/json"
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Pragma"] == "no-cache"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Server"] == "token-ledger"
        body = await response.json()
        assert list(body) == ["access_token", "scope", "token_type", "expires_in"]
        assert re.fullmatch(r"[A-Za-z0-9_-]{128}", body["access_token"])
        assert body["scope"] == "read write"
        assert body["token_type"] == "Bearer"

    async def test_expires_in_is_rounded_down(self, caller):
        # The clock is at .7 of a second, and the token's times are whole seconds.
        body = await (await caller.post("token", grant_type=GRANT)).json()
        assert body["expires_in"] == 599

    async def test_has_the_position_of_the_event(self, caller):
        response = await caller.post("token", grant_type=GRANT)
        (issued,) = await caller.tenant.events("token.issued")
        assert response.headers["Token-Ledger-Position"] == str(issued.position)

    async def test_has_a_new_token_when_repeated(self, caller):
        assert await caller.token() != await caller.token()

    async def test_is_recorded_with_actor_request_id_and_address(self, caller):
        response = await caller.post("token", grant_type=GRANT)
        (issued,) = await caller.tenant.events("token.issued")
        assert issued.actor == "client:app"
        assert issued.request_id == response.headers["X-Request-Id"]
        assert issued.remote_address == "127.0.0.1"


class TestScope:
    @pytest.mark.parametrize("parameters", [{}, {"scope": ""}], ids=["omitted", "empty counts as omitted"])
    async def test_is_omitted_when_not_requested(self, caller, parameters):
        body = await (await caller.post("token", grant_type=GRANT, **parameters)).json()
        assert "scope" not in body

    async def test_is_the_default_of_the_client_when_not_requested(self, caller):
        body = await (await caller.post("token", "defaulted", grant_type=GRANT)).json()
        assert body["scope"] == "read"

    async def test_is_the_requested_scope_when_client_has_a_default(self, caller):
        body = await (await caller.post("token", "defaulted", grant_type=GRANT, scope="write")).json()
        assert body["scope"] == "write"

    async def test_is_granted_once_when_repeated(self, caller):
        body = await (await caller.post("token", grant_type=GRANT, scope="read write read")).json()
        assert body["scope"] == "read write"

    @pytest.mark.parametrize(
        "scope",
        [
            "unknown",
            "read unknown",
            "READ",
            " read",
            "read ",
            "read  write",
            'read "x"',
            "r\\ead",
            "réad",
            "a\tb",
            "\n",
        ],
    )
    async def test_responds_400_when_unknown_disallowed_or_malformed(self, caller, scope):
        await assert_error(await caller.post("token", grant_type=GRANT, scope=scope), 400, "invalid_scope")
        assert await caller.tenant.events("token.issued") == []

    async def test_error_description_is_short_when_scope_is_long(self, caller):
        description = await assert_error(
            await caller.post("token", grant_type=GRANT, scope="x" * 60_000), 400, "invalid_scope"
        )
        assert len(description) <= 200


class TestGrantType:
    @pytest.mark.parametrize("by", METHODS)
    @pytest.mark.parametrize("parameters", [{}, {"grant_type": ""}], ids=["missing", "empty"])
    async def test_responds_400_when_missing(self, caller, by, parameters):
        description = await assert_error(await caller.post("token", by=by, **parameters), 400, "invalid_request")
        assert "'grant_type'" in description

    @pytest.mark.parametrize(
        "grant", ["password", "authorization_code", "Client_Credentials", "client_credentials ", "x" * 9999]
    )
    async def test_responds_400_when_unsupported(self, caller, grant):
        await assert_error(await caller.post("token", grant_type=grant), 400, "unsupported_grant_type")

    async def test_responds_400_when_client_may_not_use_it(self, caller):
        await assert_error(await caller.post("token", "rs", grant_type=GRANT), 400, "unauthorized_client")


class TestConcurrentChange:
    async def test_new_settings_apply_when_client_is_updated_meanwhile(self, caller, monkeypatch):
        await _change_before_the_write(
            caller,
            monkeypatch,
            lambda registry: registry.update("app", _with(caller.tenant, "app", access_token_lifetime=60), OPERATOR),
        )
        body = await (await caller.post("token", grant_type=GRANT)).json()
        assert body["expires_in"] == 59

    async def test_token_is_refused_when_client_is_disabled_meanwhile(self, caller, monkeypatch):
        await _change_before_the_write(caller, monkeypatch, lambda registry: registry.disable("app", "now", OPERATOR))
        await assert_error(await caller.post("token", grant_type=GRANT), 401, "invalid_client")
        assert await caller.tenant.events("token.issued") == []


def _with(tenant, client_id, **changes):
    return replace(tenant.clients._clients[client_id].settings, **changes)


async def _change_before_the_write(caller, monkeypatch, change):
    """Run an operator's change between authentication and the append."""
    issuance = caller.tenant.issuer.issuance
    answer = issuance.issue_token

    async def changed_meanwhile(client, requested, cause):
        await change(caller.tenant.issuer.registry)
        return await answer(client, requested, cause)

    monkeypatch.setattr(issuance, "issue_token", changed_meanwhile)
