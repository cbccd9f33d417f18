"""The history of clients, and summaries."""

from urllib.parse import quote

import pytest
from auditor import assert_problem
from memory_service import CLIENTS, OPERATOR
from msgspec.structs import replace
from yarl import URL

from ledger.use_cases.audit import NotCaughtUp


class TestClientEvents:
    async def test_list_old_and_new_values_when_settings_change(self, auditor):
        changed = replace(CLIENTS["app"], access_token_lifetime=60)
        await auditor.tenant.issuer.registry.update("app", changed, OPERATOR)
        response = await auditor.request("/clients/app/events")
        found = await response.json()
        assert found["client_id"] == "app"
        first, *_, last = found["events"]
        assert first["type"] == "client.registered"
        assert {change["field"] for change in first["changes"]} >= {"name", "scopes", "introspection"}
        assert all(change["from"] is None for change in first["changes"])
        assert last["changes"] == [{"field": "access_token_lifetime", "from": 600, "to": 60}]
        assert last["actor"] == "operator:test"
        assert '"hash"' not in await response.text()
        assert response.headers["Token-Ledger-Position"] == str(await auditor.position())

    @pytest.mark.parametrize("client_id", ["odd+id%:&=", "a/b", "a{b}", "a%2Fb", "..%5c?#"])
    async def test_are_found_when_client_id_has_special_characters(self, auditor, client_id):
        if client_id not in CLIENTS:
            await auditor.tenant.issuer.registry.register(client_id, CLIENTS["app"], OPERATOR)
        url = URL(f"{auditor.base}/clients/{quote(client_id, safe='')}/events", encoded=True)
        response = await auditor.http.get(url, headers=auditor.authorization)
        assert response.status == 200, await response.text()
        assert (await response.json())["client_id"] == client_id

    async def test_respond_404_when_client_is_unknown(self, auditor):
        await assert_problem(await auditor.request("/clients/unknown-client/events"), 404, "unknown_client")


class TestSummary:
    async def test_counts_tokens_when_issued_and_revoked(self, auditor):
        token = await auditor.caller.token("app2", "read")
        await auditor.issue("app2", "read")
        await auditor.caller.post("revoke", "app2", token=token)
        response = await auditor.request("/summary", client_id="app2")
        found = await response.json()
        assert (len(found["buckets"]), found["bucket"]) == (24, "hour")
        assert found["buckets"][-1] | {"start": None} == {"start": None, "issued": 2, "revoked": 1, "active": 1}
        assert [(c["client_id"], c["issued"], c["revoked"]) for c in found["clients"]] == [("app2", 2, 1)]
        assert response.headers["Token-Ledger-Position"] == str(found["position"]) == str(await auditor.position())

    async def test_has_the_requested_buckets_when_bounds_are_given(self, auditor):
        found = await auditor.get(
            "/summary", bucket="minute", since="2026-03-01T11:58:30Z", until="2026-03-01T12:00:01Z"
        )
        assert (found["since"], found["until"]) == ("2026-03-01T11:58:00Z", "2026-03-01T12:01:00Z")
        assert len(found["buckets"]) == 3

    async def test_has_at_most_limit_clients(self, auditor):
        await auditor.issue("app")
        await auditor.issue("app2")
        assert len((await auditor.get("/summary", limit=1))["clients"]) == 1


@pytest.mark.parametrize(
    ("place", "part", "method"),
    [
        ("/tokens", "moments", "resolve"),
        ("/events", "events", "find_events"),
        ("/summary", "activity", "summarize"),
    ],
)
async def test_audit_responds_503_when_projection_lags(auditor, monkeypatch, place, part, method):
    async def behind(*_args, **_more):
        msg = "The history is at position 3 and was asked for 5."
        raise NotCaughtUp(msg)

    monkeypatch.setattr(getattr(auditor.tenant.issuer.audit, part), method, behind)
    await assert_problem(await auditor.request(place, min_position=5), 503, "not_caught_up")
