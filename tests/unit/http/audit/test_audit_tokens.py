"""One token: its state, its events, and lookup by value."""

from datetime import timedelta
from uuid import uuid4

import pytest
from auditor import assert_problem
from memory_service import FORM


def instant(clock, seconds=0.0):
    return (clock.now + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


class TestTokenState:
    async def test_names_issuer_and_expiry_when_active(self, auditor, service):
        token = await auditor.caller.token("app", "read")
        jti = await auditor.jti_of(token)
        response = await auditor.request(f"/tokens/{jti}")
        found = await response.json()
        assert response.headers["Token-Ledger-Position"] == str(await auditor.position())
        assert (found["jti"], found["state"], found["revoked"]) == (jti, "active", None)
        assert (found["client_id"], found["subject"], found["scope"]) == ("app", "app", "read")
        assert found["issued"]["actor"] == "client:app"
        assert found["issued"]["remote_address"] == "127.0.0.1"
        assert found["issued"]["position"] == await auditor.position() == found["as_of"]["position"]
        assert found["explanation"].startswith("active until ")

    async def test_names_who_revoked_it_when_revoked(self, auditor):
        token = await auditor.caller.token()
        jti = await auditor.jti_of(token)
        await auditor.caller.post("revoke", token=token)
        found = await auditor.get(f"/tokens/{jti}")
        assert found["state"] == "revoked"
        assert (found["revoked"]["actor"], found["revoked"]["position"]) == ("client:app", await auditor.position())

    async def test_is_expired_when_exp_passes(self, auditor, service):
        jti = await auditor.issue()
        found = await auditor.get(f"/tokens/{jti}")
        service.clock.advance(601)
        await auditor.sign_in()
        assert found["state"] == "active"
        assert (await auditor.get(f"/tokens/{jti}"))["state"] == "expired"

    async def test_is_the_past_state_when_as_of_is_a_position(self, auditor):
        before = await auditor.position()
        token = await auditor.caller.token()
        jti = await auditor.jti_of(token)
        issued_at = await auditor.position()
        await auditor.caller.post("revoke", token=token)
        states = [await auditor.get(f"/tokens/{jti}", as_of=position) for position in range(before, before + 3)]
        assert [found["state"] for found in states] == ["not_issued", "active", "revoked"]
        assert [found["revoked"] is not None for found in states] == [False, False, True]
        assert states[1]["as_of"]["position"] == issued_at

    async def test_is_the_past_state_when_as_of_is_an_instant(self, auditor, service):
        service.clock.advance(10)
        token = await auditor.caller.token()
        jti = await auditor.jti_of(token)
        service.clock.advance(10)
        await auditor.caller.post("revoke", token=token)
        asked = [instant(service.clock, seconds) for seconds in (-11, -1, 0)]
        assert [(await auditor.get(f"/tokens/{jti}", as_of=at))["state"] for at in asked] == [
            "not_issued",
            "active",
            "revoked",
        ]

    @pytest.mark.parametrize("place", ["/tokens/{}", "/tokens/{}/events"])
    async def test_responds_404_when_issuer_never_issued_it(self, auditor, other, place):
        of_other_issuer = (await other.introspect(await other.token()))["jti"]
        of_client = (await auditor.get("/clients/app/events"))["events"][0]["stream_id"]
        for jti in (uuid4(), of_other_issuer, of_client):
            await assert_problem(await auditor.request(place.format(jti)), 404, "unknown_token")


class TestTokenEvents:
    async def test_are_in_order_without_the_digest(self, auditor):
        token = await auditor.caller.token("app", "read")
        jti = await auditor.jti_of(token)
        await auditor.caller.post("revoke", token=token)
        response = await auditor.request(f"/tokens/{jti}/events")
        found = await response.json()
        last = await auditor.position()
        assert found["jti"] == jti
        assert [(event["position"], event["type"]) for event in found["events"]] == [
            (last - 1, "token.issued"),
            (last, "token.revoked"),
        ]
        assert found["events"][0]["data"]["scope"] == ["read"]
        assert all("digest" not in event["data"] for event in found["events"])
        assert response.headers["Token-Ledger-Position"] == str(last)


class TestTokenLookup:
    async def test_finds_a_token_when_active_revoked_or_expired(self, auditor, service):
        active, revoked = await auditor.caller.token(), await auditor.caller.token()
        await auditor.caller.post("revoke", token=revoked)
        assert (await (await auditor.look_up(active)).json())["state"] == "active"
        found = await (await auditor.look_up(revoked)).json()
        assert found["state"] == "revoked"
        service.clock.advance(601)
        await auditor.sign_in()
        assert (await (await auditor.look_up(active)).json())["state"] == "expired"

    async def test_shows_the_past_state_when_as_of_is_given(self, auditor):
        before = await auditor.position()
        token = await auditor.caller.token()
        assert (await (await auditor.look_up(token, as_of=str(before))).json())["state"] == "not_issued"
        await assert_problem(await auditor.look_up(token, as_of="99999"), 400, "ahead_of_log", "as_of")

    async def test_does_not_repeat_the_token(self, auditor):
        token = await auditor.caller.token()
        assert token not in await (await auditor.look_up(token)).text()

    async def test_responds_404_when_token_was_never_issued(self, auditor, other):
        for token in ("x", "t" * 128, "é" * 9000, await other.token()):
            detail = await assert_problem(await auditor.look_up(token), 404, "unknown_token")
            assert token not in detail or token == "x"

    async def test_responds_400_when_token_is_missing(self, auditor):
        headers = auditor.authorization | {"Content-Type": FORM}
        url = f"{auditor.base}/tokens/lookup"
        for body, what in ((b"", "is missing"), (b"token=", "must have a value")):
            detail = await assert_problem(
                await auditor.http.post(url, data=body, headers=headers), 400, "invalid_request", "token"
            )
            assert what in detail

    @pytest.mark.parametrize(
        ("body", "parameter"),
        [
            ("token=a&token=b", "token"),
            ("token=a&x=b", "x"),
            ("token=%zz", None),
            ("token=%00", None),
            ("t" * 128, None),
        ],
    )
    async def test_responds_400_when_form_is_malformed(self, auditor, body, parameter):
        headers = auditor.authorization | {"Content-Type": FORM}
        response = await auditor.http.post(f"{auditor.base}/tokens/lookup", data=body.encode(), headers=headers)
        detail = await assert_problem(response, 400, "invalid_request", parameter)
        assert "ttt" not in detail

    async def test_responds_415_or_413_when_body_is_no_form_or_too_large(self, auditor):
        url = f"{auditor.base}/tokens/lookup"
        response = await auditor.http.post(url, json={"token": "x"}, headers=auditor.authorization)
        await assert_problem(response, 415, "invalid_request")
        response = await auditor.look_up("t" * 70_000)
        await assert_problem(response, 413, "invalid_request")

    async def test_responds_400_when_query_is_not_empty(self, auditor):
        token = await auditor.caller.token()
        headers = auditor.authorization | {"Content-Type": FORM}
        for query, parameter in (("?as_of=1", "as_of"), (f"?token={token}", "token")):
            response = await auditor.http.post(
                f"{auditor.base}/tokens/lookup{query}", data=f"token={token}", headers=headers
            )
            await assert_problem(response, 400, "invalid_request", parameter)

    async def test_responds_405_when_method_is_get(self, auditor):
        response = await auditor.request("/tokens/lookup")
        await assert_problem(response, 405, "invalid_request")
        assert response.headers["Allow"] == "POST"
