"""Events of the log: pages, and the export as NDJSON."""

import json

import msgspec
import pytest
from aiohttp import ClientError
from auditor import NDJSON, assert_problem

from api.http.audit import events
from api.http.audit.documents import event_document
from api.http.audit.parameters import TYPES
from ledger.domain.errors import CorruptPayload, Unavailable


def positions(events):
    return [event["position"] for event in events]


class TestEventPages:
    async def test_list_the_whole_log_in_order_when_followed(self, auditor):
        await auditor.issue()
        found, after = [], 0
        while after is not None:
            page = await auditor.get("/events", limit=7, after=after)
            found += page["events"]
            after = page["next"]
        assert positions(found) == list(range(1, await auditor.position() + 1))
        assert page["position"] == await auditor.position()

    async def test_start_after_the_position_when_after_is_given(self, auditor):
        page = await auditor.get("/events", after=await auditor.position())
        assert (page["events"], page["next"], page["position"]) == ([], None, await auditor.position())

    async def test_list_matching_events_when_filtered(self, auditor, service):
        service.clock.advance(60)
        at = service.clock.now.isoformat()
        token = await auditor.caller.token("app2", "read")
        await auditor.caller.post("revoke", "app2", token=token)
        last = await auditor.position()
        assert positions((await auditor.get("/events", since=at))["events"]) == [last - 1, last]
        assert positions((await auditor.get("/events", actor="client:app2"))["events"]) == [last - 1, last]
        assert positions((await auditor.get("/events", subject="app2"))["events"]) == [last - 1, last]
        revoked = await auditor.get("/events", type="token.revoked")
        assert positions(revoked["events"]) == [last]
        about = (await auditor.get("/events", client_id="app2", type="token.issued,client.registered"))["events"]
        assert [event["type"] for event in about] == ["client.registered", "token.issued"]
        assert last not in positions((await auditor.get("/events", until="2026-03-01T12:00:30Z"))["events"])

    async def test_have_the_position_they_reach_when_limited(self, auditor):
        response = await auditor.request("/events", limit=3)
        assert response.headers["Token-Ledger-Position"] == "3"

    async def test_respond_503_when_the_log_is_unavailable(self, auditor, monkeypatch):
        async def away(*_args, **_more):
            msg = "The database cannot be reached."
            raise Unavailable(msg)

        monkeypatch.setattr(auditor.tenant.issuer.audit.events, "find_events", away)
        for accept in ("*/*", NDJSON):
            response = await auditor.request("/events", headers={"Accept": accept})
            await assert_problem(response, 503, "temporarily_unavailable")


class TestExport:
    async def test_equals_the_log_when_larger_than_a_page(self, auditor, monkeypatch):
        monkeypatch.setattr(events, "EXPORT_PAGE_EVENTS", 4)
        token = await auditor.caller.token("app", "read")
        await auditor.caller.post("revoke", token=token)
        rows = await auditor.tenant.events()
        lines = await auditor.export()
        assert lines == [json.loads(msgspec.json.encode(event_document(row))) for row in rows]
        assert {line["type"] for line in lines} >= {"token.issued", "token.revoked", "client.secret_added"}

    async def test_has_no_withheld_fields(self, auditor):
        token = await auditor.caller.token("app", "read")
        await auditor.caller.post("revoke", token=token)
        for accept in ("*/*", NDJSON):
            text = await (await auditor.request("/events", headers={"Accept": accept}, limit=None)).text()
            assert '"secret_id"' in text
            for withheld in ('"digest"', '"hash"', token):
                assert withheld not in text

    async def test_ends_at_the_head_at_request_time_when_the_log_grows(self, auditor, monkeypatch):
        trail = auditor.tenant.issuer.audit.events
        last = await auditor.position()
        page = next(size for size in (4, 5, 7) if (last - 5) % size)
        monkeypatch.setattr(events, "EXPORT_PAGE_EVENTS", page)
        read, reads = trail.find_events, []

        async def read_and_append(query, **more):
            reads.append(more)
            for _ in range(page):
                await auditor.caller.token()
            return await read(query, **more)

        monkeypatch.setattr(trail, "find_events", read_and_append)
        response = await auditor.request("/events", headers={"Accept": NDJSON}, after=5)
        found = [json.loads(line)["position"] for line in (await response.text()).splitlines()]
        assert found == list(range(6, last + 1))
        assert response.headers["Token-Ledger-Position"] == str(last)
        assert len(reads) == -(-(last - 5) // page)

    async def test_has_matching_events_when_filtered(self, auditor):
        await auditor.issue("app2", "read")
        assert [line["data"]["client_id"] for line in await auditor.export(subject="app2")] == ["app2"]
        assert await auditor.export(type="token.revoked") == []

    async def test_is_empty_when_no_event_matches(self, auditor):
        assert await auditor.export(after=await auditor.position()) == []

    async def test_responds_400_when_limit_is_given(self, auditor):
        response = await auditor.request("/events", headers={"Accept": NDJSON}, limit=5)
        await assert_problem(response, 400, "invalid_request", "limit")

    @pytest.mark.parametrize(
        ("accept", "media_type"),
        [
            ("application/x-ndjson", NDJSON),
            ("application/json;q=0.5, Application/X-NDJSON;q=0.9", NDJSON),
            ("*/*", "application/json"),
            ("application/json", "application/json"),
            ("application/x-ndjson;q=0", "application/json"),
            ("text/html", "application/json"),
        ],
    )
    async def test_is_chosen_when_accept_names_ndjson(self, auditor, accept, media_type):
        assert (await auditor.request("/events", headers={"Accept": accept})).headers["Content-Type"] == media_type

    async def test_has_no_body_when_method_is_head(self, auditor):
        response = await auditor.request("/events", "HEAD", headers={"Accept": NDJSON})
        assert (response.status, await response.read()) == (200, b"")
        assert response.headers["Content-Type"] == NDJSON

    async def test_breaks_off_when_token_is_revoked(self, auditor, monkeypatch):
        monkeypatch.setattr(events, "EXPORT_PAGE_EVENTS", 4)
        trail = auditor.tenant.issuer.audit.events
        read = trail.find_events

        async def read_and_revoke(query, *, after, **more):
            if after == 8:
                await auditor.sign_out()
            return await read(query, after=after, **more)

        monkeypatch.setattr(trail, "find_events", read_and_revoke)
        response = await auditor.request("/events", headers={"Accept": NDJSON})
        received = await read_until_cut(response)
        assert response.status == 200
        assert positions(received) == list(range(1, 9))

    @pytest.mark.parametrize("error", [Unavailable("away"), CorruptPayload("bad"), RuntimeError("a defect")])
    async def test_breaks_off_when_reading_fails(self, auditor, monkeypatch, error):
        monkeypatch.setattr(events, "EXPORT_PAGE_EVENTS", 4)
        trail = auditor.tenant.issuer.audit.events
        read = trail.find_events

        async def fail_later(query, *, after, **more):
            if after == 8:
                raise error
            return await read(query, after=after, **more)

        monkeypatch.setattr(trail, "find_events", fail_later)
        response = await auditor.request("/events", headers={"Accept": NDJSON})
        assert positions(await read_until_cut(response)) == list(range(1, 9))


async def read_until_cut(response):
    """Read the lines of a response until it breaks off."""
    received = b""
    broken_off = False
    while not broken_off:
        try:
            chunk = await response.content.readany()
        except ClientError:
            broken_off = True
        else:
            assert chunk, "the response ended as if complete"
            received += chunk
    return [json.loads(line) for line in received.splitlines()]


async def test_events_can_be_filtered_by_every_type(auditor):
    for topic in TYPES:
        assert {event["type"] for event in (await auditor.get("/events", type=topic))["events"]} <= {topic}
