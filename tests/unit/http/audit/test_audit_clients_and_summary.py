"""What became of a client, and what happened over time."""

from urllib.parse import quote

import pytest
from auditing import assert_problem
from memory_service import CLIENTS, OPERATOR
from msgspec.structs import replace
from yarl import URL

from ledger.use_cases.audit import NotCaughtUp


class TestAClientSEvents:
    async def test_say_from_what_to_what_it_changed(self, auditor):
        changed = replace(CLIENTS["app"], access_token_lifetime=60)
        await auditor.tenant.issuer.registry.update("app", changed, OPERATOR)
        response = await auditor.ask("/clients/app/events")
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
    async def test_are_found_whatever_its_id(self, auditor, client_id):
        if client_id not in CLIENTS:
            await auditor.tenant.issuer.registry.register(client_id, CLIENTS["app"], OPERATOR)
        url = URL(f"{auditor.base}/clients/{quote(client_id, safe='')}/events", encoded=True)
        response = await auditor.http.get(url, headers=auditor.authorization)
        assert response.status == 200, await response.text()
        assert (await response.json())["client_id"] == client_id

    async def test_of_one_that_never_was_are_404(self, auditor):
        await assert_problem(await auditor.ask("/clients/nobody/events"), 404, "unknown_client")

    async def test_of_what_cannot_be_an_id_are_400(self, auditor):
        for malformed in ("a%20b", "x" * 256, "%00", "%C3%A9"):
            response = await auditor.ask(f"/clients/{malformed}/events")
            await assert_problem(response, 400, "invalid_request", "client_id")

    async def test_take_no_filters(self, auditor):
        for name in ("type", "client_id"):
            response = await auditor.ask("/clients/app/events", **{name: "x"})
            await assert_problem(response, 400, "invalid_request", name)


class TestASummary:
    async def test_counts_what_happened(self, auditor):
        token = await auditor.caller.token("app2", "read")
        await auditor.issue("app2", "read")
        await auditor.caller.post("revoke", "app2", token=token)
        response = await auditor.ask("/summary", client_id="app2")
        found = await response.json()
        assert (len(found["buckets"]), found["bucket"]) == (24, "hour")
        assert found["buckets"][-1] | {"start": None} == {"start": None, "issued": 2, "revoked": 1, "active": 1}
        assert [(c["client_id"], c["issued"], c["revoked"]) for c in found["clients"]] == [("app2", 2, 1)]
        assert response.headers["Token-Ledger-Position"] == str(found["position"]) == str(await auditor.position())

    async def test_is_of_the_buckets_asked_for(self, auditor):
        found = await auditor.get(
            "/summary", bucket="minute", since="2026-03-01T11:58:30Z", until="2026-03-01T12:00:01Z"
        )
        assert (found["since"], found["until"]) == ("2026-03-01T11:58:00Z", "2026-03-01T12:01:00Z")
        assert len(found["buckets"]) == 3

    async def test_is_of_so_many_clients(self, auditor):
        await auditor.issue("app")
        await auditor.issue("app2")
        assert len((await auditor.get("/summary", limit=1))["clients"]) == 1

    @pytest.mark.parametrize(
        ("query", "parameter"),
        [
            ({"bucket": "week"}, "bucket"),
            ({"since": "2026-03-01T12:00:00Z", "until": "2026-03-01T11:00:00Z"}, "since"),
            ({"since": "1970-01-01T00:00:00Z"}, "since"),
            ({"until": "2027-01-01T00:00:00Z"}, "until"),
            ({"until": "9999-12-31T23:59:59Z"}, "until"),
            ({"limit": "0"}, "limit"),
        ],
    )
    async def test_of_a_time_that_cannot_be_is_400(self, auditor, query, parameter):
        await assert_problem(await auditor.ask("/summary", **query), 400, "invalid_request", parameter)


@pytest.mark.parametrize(
    ("place", "part", "method"),
    [
        ("/tokens", "moments", "resolve"),
        ("/events", "events", "find_events"),
        ("/summary", "activity", "summarize"),
    ],
)
async def test_a_history_that_is_not_there_yet_is_503(auditor, monkeypatch, place, part, method):
    async def behind(*_args, **_more):
        msg = "The history is at position 3 and was asked for 5."
        raise NotCaughtUp(msg)

    monkeypatch.setattr(getattr(auditor.tenant.issuer.audit, part), method, behind)
    await assert_problem(await auditor.ask(place, min_position=5), 503, "not_caught_up")
