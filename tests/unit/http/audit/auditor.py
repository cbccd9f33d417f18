"""An auditor with an access token, and a reader of server-sent events."""

import json
from typing import Any
from urllib.parse import urlencode

from memory_service import FORM, OPERATOR, Caller

NDJSON = "application/x-ndjson"


class Auditor:
    """Sends audit requests with a token that has the scope audit.read."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.http = caller.http
        self.tenant = caller.tenant
        self.base = f"{caller.path}/audit"
        self.token = ""

    async def sign_in(self) -> "Auditor":
        self.token = await self.caller.token("auditor", "audit.read")
        return self

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def request(self, path: str, method: str = "GET", headers: dict[str, str] | None = None, **query: Any):
        """Send a request; query parameters that are None are omitted."""
        asked = {name: str(value) for name, value in query.items() if value is not None}
        target = f"{self.base}{path}" + (f"?{urlencode(asked)}" if asked else "")
        return await self.http.request(method, target, headers=self.authorization | (headers or {}))

    async def get(self, path: str, **query: Any) -> Any:
        """Request a document."""
        response = await self.request(path, **query)
        assert response.status == 200, await response.text()
        assert response.headers["Cache-Control"] == "no-store"
        return await response.json()

    async def look_up(self, token: str, **form: str):
        body = urlencode({"token": token, **form})
        headers = self.authorization | {"Content-Type": FORM}
        return await self.http.post(f"{self.base}/tokens/lookup", data=body.encode(), headers=headers)

    async def export(self, **query: Any) -> list[dict]:
        response = await self.request("/events", headers={"Accept": NDJSON}, **query)
        assert response.status == 200, await response.text()
        assert response.headers["Content-Type"] == NDJSON
        return [json.loads(line) for line in (await response.text()).splitlines()]

    async def jti_of(self, token: str) -> str:
        return (await self.caller.introspect(token))["jti"]

    async def issue(self, client_id: str = "app", scope: str = "") -> str:
        """Issue a token; returns its jti."""
        return await self.jti_of(await self.caller.token(client_id, scope))

    async def position(self) -> int:
        return (await self.tenant.event_log.head()).position

    async def enable(self, client_id: str = "disabled") -> None:
        """Append one event."""
        await self.tenant.issuer.registry.enable(client_id, OPERATOR)

    async def sign_out(self) -> None:
        """Revoke the auditor's own token."""
        response = await self.caller.post("revoke", "auditor", token=self.token)
        assert response.status == 200


class ServerSentEvents:
    """Reads a stream block by block."""

    def __init__(self, response) -> None:
        self.response = response
        self.last_id: int | None = None

    async def block(self) -> dict[str, str] | None:
        """Read the next block; None at the end of the stream."""
        fields: dict[str, str] = {}
        while line := await self.response.content.readline():
            text = line.decode().rstrip("\n")
            if not text:
                self.last_id = int(fields["id"])
                return fields
            name, _, value = text.partition(": ")
            fields[name] = value
        assert fields == {}, "the stream ended within a block"
        return None

    async def event(self) -> dict[str, Any] | None:
        """Read the document of the next block with data."""
        while (found := await self.block()) is not None:
            if "data" in found:
                document = json.loads(found["data"])
                assert (str(document["position"]), document["type"]) == (found["id"], found["event"])
                return document
        return None


async def assert_problem(response, status: int, code: str, parameter: str | None = None) -> str:
    """Assert that a response is this problem; returns its detail."""
    text = await response.text()
    assert response.status == status, text
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    body = json.loads(text)
    assert body.get("parameter") == parameter, body
    assert set(body) - {"parameter"} == {"type", "title", "status", "detail", "request_id"}
    assert body["type"] == f"urn:token-ledger:problem:{code}"
    assert body["status"] == status
    assert body["request_id"] == response.headers["X-Request-Id"]
    assert (response.headers.get("Retry-After") is not None) == (status == 503)
    return body["detail"]
