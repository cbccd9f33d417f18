"""The real application over an issuer in memory, served to the audit commands, with faults that tests inject."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import msgspec
from aiohttp import web

from api.http.app import create_app
from api.http.responses import JSON_HEADERS, RawResponse
from ledger.use_cases.ports import ActiveToken
from tests.in_memory_issuer import InMemoryIssuer
from tests.in_memory_service import InMemoryService

PATH = "/ms-auth-server"
CLIENT = {"client_id": "auditor", "client_secret": "auditor-secret"}


@dataclass
class Given:
    """A response instead of the usual one."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def response(self) -> web.Response:
        if not isinstance(self.body, dict):
            return web.Response(status=self.status, text=self.body or "", headers=self.headers)
        kind = "application/json" if self.status == 200 or "error" in self.body else "application/problem+json"
        body = msgspec.json.encode(self.body)
        return web.Response(status=self.status, body=body, headers=self.headers, content_type=kind)


class AuditorTokens(set[str]):
    """The auditor's tokens. They are not in the log, whose positions the tests know."""

    async def find_active_token(self, token: str) -> ActiveToken | None:
        return ActiveToken(UUID(int=1), "auditor", "auditor", "audit.read", (), 0, 0) if token in self else None


class AuditService:
    """Serves a store. `instead` holds responses to give first, `seen` the audit requests: target, method, headers."""

    def __init__(self, open_store: Callable[[], InMemoryIssuer]) -> None:
        self._open_store = open_store
        self.instead: deque[Given] = deque()
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.tokens = AuditorTokens()
        self.refused_token_request: Given | None = None
        self.page = 2
        """The most entries that a page has, whatever its limit."""
        self.cut_after: int | None = None
        """Cut each stream within the event after so many."""
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PATH}"

    @property
    def asked(self) -> list[str]:
        return [path for path, _, _ in self.seen]

    async def start(self) -> None:
        """Serve, on the same port as before."""
        store = self._open_store()
        issuer = replace(store.open(), introspection=self.tokens)
        app = create_app(InMemoryService([store], [issuer]))
        app.middlewares.append(self._intercept)
        self._runner = web.AppRunner(app, shutdown_timeout=0.01)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        await self._runner.cleanup()

    @web.middleware
    async def _intercept(self, request: web.Request, handler) -> web.StreamResponse:
        if request.path.endswith("/oauth2/token"):
            return await self._issue_token(request)
        self.seen.append((request.path_qs.removeprefix(f"{PATH}/audit"), request.method, dict(request.headers)))
        if self.instead:
            return self.instead.popleft().response()
        if "limit" in request.query:
            limit = min(int(request.query["limit"]), self.page)
            request = request.clone(rel_url=request.rel_url.update_query(limit=limit))
        if self.cut_after is not None and request.path.endswith("/stream"):
            self._cut(request, self.cut_after)
        response = await handler(request)
        if isinstance(response, RawResponse) and response.status == 200:  # a later release may add members
            document = msgspec.json.decode(response._whole_body) | {"of_a_later_release": True}
            return RawResponse(JSON_HEADERS, msgspec.json.encode(document))
        return response

    def _cut(self, request: web.Request, events: int) -> None:
        """Cut the connection in the middle of an event."""
        writer, sent = request.writer, 0
        write = writer.write

        async def write_until_cut(data: bytes, **more) -> None:
            nonlocal sent
            blocks = data.split(b"\n\n")
            for number, block in enumerate(blocks):
                if b"data: " in block:
                    sent += 1
                if sent > events:
                    await write(b"\n\n".join([*blocks[:number], block[:-5]]), **more)
                    request.transport.abort()
                    raise ConnectionResetError
            await write(data, **more)

        writer.write = write_until_cut

    async def _issue_token(self, request: web.Request) -> web.StreamResponse:
        if self.refused_token_request is not None:
            return self.refused_token_request.response()
        form = dict(await request.post())
        if form != CLIENT | {"grant_type": "client_credentials", "scope": "audit.read"}:
            error = {"error": "invalid_client", "error_description": "Client authentication failed."}
            return Given(401, error).response()
        token = f"token-{len(self.tokens) + 1}"
        self.tokens.add(token)
        return Given(200, {"access_token": token, "token_type": "Bearer"}).response()


class InThread:
    """Runs an AuditService in a thread, for tests that are not coroutines."""

    def __init__(self, service: AuditService) -> None:
        self._service = service
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> AuditService:
        self._thread.start()
        self._run(self._service.start())
        return self._service

    def __exit__(self, *_: object) -> None:
        self._run(self._service.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)
