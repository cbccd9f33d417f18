"""One log line per request, without secrets."""

import io
import json
from urllib.parse import urlencode

import pytest
from memory_service import OPERATOR, basic, serve
from structlog.testing import capture_logs

from api.http.instrumented_endpoint import InstrumentedEndpoint
from api.logging.configuration import configure_logging


class TestRequestLine:
    async def _line(self, request) -> dict:
        with capture_logs() as lines:
            await request
        (line,) = lines
        assert isinstance(line.pop("ms"), float)
        return line

    async def test_describes_a_token_request(self, caller):
        line = await self._line(
            caller.send(
                "token",
                "grant_type=client_credentials",
                Authorization=basic("app", caller.tenant.secrets["app"]),
                X_Request_Id="r-1",
            )
        )
        assert line == {
            "event": "request",
            "log_level": "info",
            "request_id": "r-1",
            "client_id": "app",
            "endpoint": "token",
            "issuer": "ms-auth-server",
            "status": 200,
        }

    async def test_has_no_path_when_path_is_unknown(self, http):
        line = await self._line(http.get("/some-token?token=another"))
        assert (line["endpoint"], line["status"], line["error"]) == ("none", 404, "not_found")
        assert "some-token" not in repr(line)
        assert "another" not in repr(line)

    @pytest.mark.parametrize(
        ("send", "expected"),
        [
            (
                lambda caller: caller.post("introspect", "app", token="x"),
                {"endpoint": "introspect", "status": 403, "error": "unauthorized_client", "client_id": "app"},
            ),
            (
                lambda caller: caller.post("revoke", "app", secret="wrong", token="x"),
                {"endpoint": "revoke", "status": 401, "error": "invalid_client", "client_id": None},
            ),
            (
                lambda caller: caller.http.get(f"{caller.path}/oauth2/token?token=x"),
                {"endpoint": "token", "status": 405, "error": "invalid_request", "log_level": "info"},
            ),
            (
                lambda caller: caller.http.get(f"{caller.path}/.well-known/oauth-authorization-server"),
                {"endpoint": "metadata", "status": 200, "issuer": "ms-auth-server"},
            ),
            (lambda caller: caller.http.post("/other/oauth2/token"), {"issuer": "other"}),
            (lambda caller: caller.http.get("/livez"), {"endpoint": "livez", "log_level": "debug"}),
            (lambda caller: caller.http.get("/readyz"), {"endpoint": "readyz", "log_level": "debug"}),
        ],
    )
    async def test_describes_any_request(self, caller, send, expected):
        line = await self._line(send(caller))
        assert {name: line.get(name) for name in expected} == expected

    async def test_has_level_warning_when_service_is_not_ready(self, http, service):
        service.reported = ["Something is wrong."]
        assert (await self._line(http.get("/readyz")))["log_level"] == "warning"


@pytest.mark.usefixtures("_restored_logging")
@pytest.mark.parametrize("output", ["json", "console"])
async def test_log_contains_no_token_and_no_secret(aiohttp_client, output, monkeypatch):
    written = io.BytesIO()
    configure_logging(format=output, level="debug", stream=io.TextIOWrapper(written, write_through=True))
    caller = await serve(aiohttp_client)
    await caller.tenant.issuer.registry.add_chosen_secret("rs", "chosen by a person", OPERATOR)
    token, revoked = await caller.token(scope="read"), await caller.token()
    secret = caller.tenant.secrets["app"]
    hidden = [token, revoked, secret, "chosen by a person", *caller.tenant.secrets.values()]
    hidden += [basic("app", secret), basic("app", secret)[6:], "wrong-secret-1234"]

    for by in ("client_secret_basic", "client_secret_post"):
        await caller.post("introspect", "rs", by=by, secret="chosen by a person", token=token)
        await caller.post("introspect", "app", by=by, token=token)
        await caller.post("token", by=by, secret="wrong-secret-1234", grant_type=token, scope=token)
        await caller.post("token", by=by, grant_type="client_credentials", scope=secret)
        await caller.post("revoke", by=by, token=revoked)
        await caller.post("revoke", "app2", by=by, token=token)
        await caller.post("revoke", by=by, token=token, **{token: "x"})
    await caller.send("token", urlencode({secret: "1"}) + "&" + urlencode({secret: "2"}))
    await caller.send("token", f"%zz{secret}", Authorization=f"Basic {secret}")
    await caller.send("introspect", X_Request_Id=f"{token} ", Authorization=f"Bearer {token}")
    await caller.http.get(f"/{token}?access_token={token}")
    await caller.http.get(f"{caller.path}/oauth2/introspect?token={token}&client_secret={secret}")
    for name in ("clients", "active_tokens"):
        with monkeypatch.context() as broken:

            async def fail(*_args):
                msg = f"could not look up {token}: token={token} client_secret={secret}"
                raise RuntimeError(msg)

            broken.setattr(getattr(caller.tenant, name), "get", fail)
            await caller.post("introspect", "rs", token=token)

    output_text = written.getvalue().decode()
    assert output_text.count("request_id") >= 20
    assert "could not look up [redacted]" in output_text
    assert [text for text in hidden if text in output_text] == []
    if output == "json":
        assert all(json.loads(line)["level"] for line in output_text.splitlines())


@pytest.mark.usefixtures("_restored_logging")
class TestPlainLine:
    """The line that bypasses structlog."""

    async def _lines(self, aiohttp_client, level: str = "info", **headers: str) -> list[str]:
        written = io.BytesIO()
        configure_logging(format="json", level=level, stream=io.TextIOWrapper(written, write_through=True))
        caller = await serve(aiohttp_client)
        body = urlencode({"grant_type": "client_credentials"})
        await caller.send("token", body, Authorization=basic("app", caller.tenant.secrets["app"]), **headers)
        await caller.http.get("/livez")
        await caller.http.get(f"{caller.path}/.well-known/oauth-authorization-server", headers={"X-Request-Id": "r-2"})
        return written.getvalue().decode().splitlines()

    async def test_equals_the_line_of_structlog(self, aiohttp_client, monkeypatch):
        def comparable(lines: list[str]) -> list[list[tuple[str, object]]]:
            return [
                [(k, type(v) if k in {"timestamp", "ms"} else v) for k, v in json.loads(text).items()] for text in lines
            ]

        plain = await self._lines(aiohttp_client, X_Request_Id="r-1")
        monkeypatch.setattr(InstrumentedEndpoint, "_write_plain_line", lambda *_: False)
        assert comparable(plain) == comparable(await self._lines(aiohttp_client, X_Request_Id="r-1"))
        assert [json.loads(text)["request_id"] for text in plain] == ["r-1", "r-2"]

    async def test_is_not_used_when_a_value_must_be_masked(self, aiohttp_client):
        token = "A" * 128
        first, _ = await self._lines(aiohttp_client, X_Request_Id=token)
        assert json.loads(first)["request_id"] == "[redacted]"

    async def test_is_not_written_when_level_is_disabled(self, aiohttp_client):
        assert await self._lines(aiohttp_client, "warning") == []

    async def test_has_level_debug_when_endpoint_is_quiet(self, aiohttp_client):
        levels = [json.loads(text)["level"] for text in await self._lines(aiohttp_client, "debug")]
        assert levels == ["info", "debug", "info"]
