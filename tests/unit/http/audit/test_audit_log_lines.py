"""The log lines of audit requests."""

import asyncio
import io
import json

import pytest
from auditor import NDJSON, Auditor, ServerSentEvents
from memory_service import serve
from structlog.testing import capture_logs

from api.http.audit import event_stream
from api.logging.configuration import configure_logging
from tests.builders import settle


async def line_of(request):
    with capture_logs() as lines:
        response = await request
        await response.read()
        await settle()
    (line,) = [line for line in lines if line["event"] == "request"]
    return line


class TestAuditLogLine:
    async def test_has_client_jti_and_filter(self, auditor):
        line = await line_of(auditor.request("/tokens", client_id="app", status="active", as_of="3"))
        assert line.pop("ms") >= 0
        assert line.pop("request_id")
        assert line == {
            "event": "request",
            "log_level": "info",
            "endpoint": "audit_tokens",
            "issuer": "ms-auth-server",
            "client_id": "auditor",
            "jti": await auditor.jti_of(auditor.token),
            "filter": {"client_id": "app", "status": "active", "as_of": "3"},
            "status": 200,
        }

    async def test_has_the_id_when_it_is_in_the_path(self, auditor):
        jti = await auditor.issue()
        assert (await line_of(auditor.request(f"/tokens/{jti}")))["filter"] == {"jti": jti}
        assert (await line_of(auditor.request("/clients/app/events")))["filter"] == {"client_id": "app"}

    async def test_has_the_filter_when_request_is_refused(self, auditor):
        line = await line_of(auditor.request("/tokens", client_id="app", status="lost"))
        assert (line["status"], line["error"]) == (400, "invalid_request")
        assert line["filter"] == {"client_id": "app", "status": "lost"}

    async def test_masks_values_when_long_or_unusual(self, auditor):
        line = await line_of(auditor.request("/tokens", client_id="x" * 101, subject="a%b", scope='a"b', actor="z"))
        assert line["filter"] == {"client_id": "[redacted]", "subject": "[redacted]", "scope": "[redacted]"}

    async def test_masks_the_token_when_looked_up(self, auditor):
        line = await line_of(auditor.look_up("short", as_of="1"))
        assert line["filter"] == {"token": "[redacted]", "as_of": "1"}
        assert "found" not in line

    async def test_has_the_jti_when_lookup_finds_a_token(self, auditor):
        token = await auditor.caller.token()
        line = await line_of(auditor.look_up(token))
        assert line["found"] == await auditor.jti_of(token)

    async def test_has_no_client_or_filter_when_unauthenticated(self, auditor):
        auditor.token = "t" * 128
        line = await line_of(auditor.request("/tokens", client_id="app"))
        assert (line["status"], line["error"]) == (401, "invalid_token")
        assert not {"client_id", "jti", "filter"} & line.keys()

    async def test_has_no_filter_when_scope_is_missing(self, auditor):
        auditor.token = await auditor.caller.token("app", "read")
        assert "filter" not in await line_of(auditor.request("/tokens", client_id="app"))

    async def test_says_how_an_export_ended(self, auditor):
        line = await line_of(auditor.request("/events", headers={"Accept": NDJSON}, type="token.issued"))
        assert (line["ended"], line["status"]) == ("complete", 200)
        assert line["filter"] == {"type": "token.issued"}

    async def test_follows_a_start_line_when_response_is_streamed(self, auditor):
        with capture_logs() as lines:
            await auditor.export(type="token.issued")
            await settle()
        begun, ended = [line for line in lines if line.get("filter") == {"type": "token.issued"}]
        assert (begun["event"], ended["event"]) == ("response started", "request")
        for name in ("request_id", "client_id", "jti"):
            assert begun[name] == ended[name]

    async def test_says_how_a_stream_ended(self, auditor, monkeypatch):
        monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0.01)
        with capture_logs() as lines:
            reader = ServerSentEvents(await auditor.request("/events/stream", headers={"Last-Event-ID": "3"}))
            await auditor.sign_out()
            while await reader.block() is not None:
                pass
        (line,) = [line for line in lines if line.get("endpoint") == "audit_event_stream"]
        assert line["ended"] == "token inactive"
        assert line["filter"] == {"Last-Event-ID": "3"}

    async def test_has_a_trace_when_a_stream_fails(self, auditor, monkeypatch):
        async def fail(*_args, **_more):
            msg = f"a defect near {auditor.token}"
            raise RuntimeError(msg)

        monkeypatch.setattr(auditor.tenant.issuer.audit.events, "wait_for_events", fail)
        with capture_logs() as lines:
            reader = ServerSentEvents(await auditor.request("/events/stream"))
            while await reader.block() is not None:
                pass
        (unexpected,) = [line for line in lines if line["event"] == "unexpected error"]
        (request,) = [line for line in lines if line["event"] == "request"]
        assert unexpected["request_id"] == request["request_id"]
        assert unexpected["exc_info"].args[0].startswith("a defect")
        assert request["ended"] == "server_error"


@pytest.mark.usefixtures("_restored_logging")
async def test_audit_logs_contain_no_token(aiohttp_client, monkeypatch):
    monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0.01)
    written = io.BytesIO()
    configure_logging(format="json", level="debug", stream=io.TextIOWrapper(written, write_through=True))
    caller = await serve(aiohttp_client)
    auditor = await Auditor(caller).sign_in()
    token, other = await caller.token("app", "read"), await caller.token("app2", "read")
    hidden = [token, other, auditor.token, *caller.tenant.secrets.values()]
    responses = []

    async def keep(request):
        response = await request
        responses.append(await response.text())

    for place in ("/tokens", "/events", "/summary", "/events/stream", "/clients/app/events"):
        for name in ("token", "access_token", "client_id", "cursor", token):
            await keep(auditor.request(place, "GET" if "stream" not in place else "HEAD", **{name: token}))
    await keep(auditor.look_up(token))
    await keep(auditor.look_up(token, as_of=other))
    await keep(auditor.look_up(token[:-1] + "%"))
    await keep(auditor.request(f"/tokens/{token}"))
    await keep(auditor.request(f"/clients/{token}/events"))
    await keep(auditor.request("/tokens", headers={"Authorization": f"Bearer {token} {other}"}))
    await keep(auditor.request("/tokens", headers={"Authorization": f"Basic {other}"}))
    await keep(auditor.request("/events/stream", "HEAD", headers={"Last-Event-ID": token}))
    await keep(auditor.request("/events", headers={"Accept": NDJSON}))
    with monkeypatch.context() as broken:

        async def fail(*_args, **_more):
            msg = f"could not look up {token}"
            raise RuntimeError(msg)

        broken.setattr(caller.tenant.issuer.audit.tokens, "find_jti", fail)
        await keep(auditor.look_up(token))
    reader = ServerSentEvents(await auditor.request("/events/stream", after=0))
    await auditor.sign_out()
    while (block := await reader.block()) is not None:
        responses.append(json.dumps(block))
    await asyncio.sleep(0)

    lines = written.getvalue().decode()
    assert lines.count("audit_") > 25
    assert "could not look up [redacted]" in lines
    assert [text for text in hidden if text in lines] == []
    assert [text for text in hidden if any(text in response for response in responses)] == []
