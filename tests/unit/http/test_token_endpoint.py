"""POST /oauth2/token: RFC 6749 §4.4 and §5."""

import re

import pytest
from memory_service import METHODS, OPERATOR, assert_error
from msgspec.structs import replace

GRANT = "client_credentials"


class TestASuccessfulAnswer:
    @pytest.mark.parametrize("by", METHODS)
    async def test_is_what_rfc_6749_section_5_1_says(self, caller, by):
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

    async def test_has_expires_in_rounded_down_to_whole_seconds(self, caller):
        # The clock stands at .7 of a second, and the token's times are whole seconds.
        body = await (await caller.post("token", grant_type=GRANT)).json()
        assert body["expires_in"] == 599

    async def test_says_where_in_the_log_the_token_is(self, caller):
        response = await caller.post("token", grant_type=GRANT)
        (issued,) = await caller.tenant.events("token.issued")
        assert response.headers["Token-Ledger-Position"] == str(issued.position)

    async def test_has_another_token_every_time(self, caller):
        assert await caller.token() != await caller.token()

    async def test_records_who_asked_under_which_request_id_and_from_where(self, caller):
        response = await caller.post("token", grant_type=GRANT)
        (issued,) = await caller.tenant.events("token.issued")
        assert issued.actor == "client:app"
        assert issued.request_id == response.headers["X-Request-Id"]
        assert issued.remote_address == "127.0.0.1"


class TestScope:
    @pytest.mark.parametrize("parameters", [{}, {"scope": ""}], ids=["omitted", "empty counts as omitted"])
    async def test_is_left_out_when_none_is_asked_for(self, caller, parameters):
        body = await (await caller.post("token", grant_type=GRANT, **parameters)).json()
        assert "scope" not in body

    async def test_is_the_default_of_the_client_when_none_is_asked_for(self, caller):
        body = await (await caller.post("token", "defaulted", grant_type=GRANT)).json()
        assert body["scope"] == "read"

    async def test_is_what_was_asked_for_not_the_default(self, caller):
        body = await (await caller.post("token", "defaulted", grant_type=GRANT, scope="write")).json()
        assert body["scope"] == "write"

    async def test_asked_for_twice_is_given_once(self, caller):
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
    async def test_unknown_not_allowed_or_malformed_is_invalid_scope(self, caller, scope):
        await assert_error(await caller.post("token", grant_type=GRANT, scope=scope), 400, "invalid_scope")
        assert await caller.tenant.events("token.issued") == []

    async def test_of_60_000_characters_is_invalid_scope_with_a_short_description(self, caller):
        description = await assert_error(
            await caller.post("token", grant_type=GRANT, scope="x" * 60_000), 400, "invalid_scope"
        )
        assert len(description) <= 200


class TestGrantType:
    @pytest.mark.parametrize("by", METHODS)
    @pytest.mark.parametrize("parameters", [{}, {"grant_type": ""}], ids=["missing", "empty"])
    async def test_missing_or_empty_is_invalid_request(self, caller, by, parameters):
        description = await assert_error(await caller.post("token", by=by, **parameters), 400, "invalid_request")
        assert "'grant_type'" in description

    @pytest.mark.parametrize(
        "grant", ["password", "authorization_code", "Client_Credentials", "client_credentials ", "x" * 9999]
    )
    async def test_unknown_is_unsupported_grant_type(self, caller, grant):
        await assert_error(await caller.post("token", grant_type=grant), 400, "unsupported_grant_type")

    async def test_not_allowed_for_the_client_is_unauthorized_client(self, caller):
        await assert_error(await caller.post("token", "rs", grant_type=GRANT), 400, "unauthorized_client")


class TestTheClient:
    async def test_that_was_changed_while_it_asked_gets_what_it_may_have_now(self, caller, monkeypatch):
        await _change_before_the_write(
            caller,
            monkeypatch,
            lambda registry: registry.update("app", _with(caller.tenant, "app", access_token_lifetime=60), OPERATOR),
        )
        body = await (await caller.post("token", grant_type=GRANT)).json()
        assert body["expires_in"] == 59

    async def test_that_was_disabled_while_it_asked_is_refused(self, caller, monkeypatch):
        await _change_before_the_write(caller, monkeypatch, lambda registry: registry.disable("app", "now", OPERATOR))
        await assert_error(await caller.post("token", grant_type=GRANT), 401, "invalid_client")
        assert await caller.tenant.events("token.issued") == []


def _with(tenant, client_id, **changes):
    return replace(tenant.clients._clients[client_id].settings, **changes)


async def _change_before_the_write(caller, monkeypatch, change):
    """Let an operator's change be recorded between authentication and the issuing write."""
    issuance = caller.tenant.issuer.issuance
    answer = issuance.issue_token

    async def changed_meanwhile(client, requested, cause):
        await change(caller.tenant.issuer.registry)
        return await answer(client, requested, cause)

    monkeypatch.setattr(issuance, "issue_token", changed_meanwhile)
