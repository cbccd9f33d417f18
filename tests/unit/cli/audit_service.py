"""A service as the audit commands meet it over HTTP: the audit endpoints over issuers in memory, and every mishap."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from aiohttp import web

from api.cli.audit.log_source import LogSource
from api.cli.audit.source import SummaryQuery
from api.http.audit.documents import ClientEventsDocument, TokenEventsDocument
from ledger.domain.errors import LedgerError, UnknownClient, UnknownToken
from ledger.use_cases.audit import EventQuery, TokenQuery

PATH = "/ms-auth-server"
CLIENT = {"client_id": "auditor", "client_secret": "auditor-secret"}


@dataclass
class Given:
    """An answer instead of the usual one."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class AuditService:
    """Answers from `source()`, made anew for each run. `instead` holds answers to give first, `seen` what was asked."""

    def __init__(self, source: Callable[[], LogSource]) -> None:
        self._make_source = source
        self.instead: deque[Given] = deque()
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.tokens: set[str] = set()
        self.refused_token_request: Given | None = None
        self.page = 2
        self.cut_after: int | None = None
        self.port = 0
        self._streaming: set[asyncio.Task] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PATH}"

    @property
    def asked(self) -> list[str]:
        return [path for path, _, _ in self.seen]

    async def start(self) -> None:
        """Serve, on the port it had before if there was one."""
        self.source = self._make_source()
        app = web.Application(middlewares=[self._around])
        app.router.add_post(f"{PATH}/oauth2/token", self._token)
        app.router.add_post(f"{PATH}/audit/tokens/lookup", self._lookup)
        app.router.add_get(f"{PATH}/audit/tokens", self._tokens)
        app.router.add_get(f"{PATH}/audit/tokens/{{jti}}", self._one)
        app.router.add_get(f"{PATH}/audit/tokens/{{jti}}/events", self._events_of_token)
        app.router.add_get(f"{PATH}/audit/events", self._events)
        app.router.add_get(f"{PATH}/audit/events/stream", self._stream)
        app.router.add_get(f"{PATH}/audit/clients/{{client_id}}/events", self._events_of_client)
        app.router.add_get(f"{PATH}/audit/summary", self._summary)
        self._runner = web.AppRunner(app, shutdown_timeout=0.01)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Cut every line, and wait for those at its other end before the log is let go of."""
        await self._runner.cleanup()
        for task in self._streaming:
            task.cancel()
        await asyncio.gather(*self._streaming, return_exceptions=True)
        self._streaming.clear()
        await self.source._trail.events.close()

    @web.middleware
    async def _around(self, request: web.Request, handler) -> web.StreamResponse:
        if request.path.endswith("/oauth2/token"):
            return await handler(request)
        self.seen.append((request.path_qs.removeprefix(f"{PATH}/audit"), request.method, dict(request.headers)))
        if self.instead:
            return answer(self.instead.popleft())
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return answer(Given(401, {"title": "Unauthorized", "detail": "The access token is not active."}))
        try:
            return await handler(request)
        except (UnknownToken, UnknownClient) as error:
            return answer(Given(404, {"title": "Not Found", "detail": str(error)}))
        except LedgerError as error:
            return answer(Given(400, {"title": "Bad Request", "detail": str(error), "parameter": "as_of"}))

    async def _token(self, request: web.Request) -> web.Response:
        if self.refused_token_request is not None:
            return answer(self.refused_token_request)
        form = dict(await request.post())
        if form != CLIENT | {"grant_type": "client_credentials", "scope": "audit.read"}:
            return answer(Given(401, {"error": "invalid_client", "error_description": "Client authentication failed."}))
        token = f"token-{len(self.tokens) + 1}"
        self.tokens.add(token)
        return answer(Given(200, {"access_token": token, "token_type": "Bearer"}))

    async def _one(self, request: web.Request) -> web.Response:
        as_of = moment(request.query.get("as_of"))
        return document(await self.source.find_token(UUID(request.match_info["jti"]), as_of))

    async def _lookup(self, request: web.Request) -> web.Response:
        form = await request.post()
        return document(await self.source.find_presented_token(form["token"], moment(form.get("as_of"))))

    async def _events_of_token(self, request: web.Request) -> web.Response:
        jti = UUID(request.match_info["jti"])
        return document(TokenEventsDocument(jti=jti, events=await self.source.read_token_events(jti)))

    async def _tokens(self, request: web.Request) -> web.Response:
        """As the real ones: the cursor is opaque, and keeps the moment."""
        given = dict(request.query)
        limit = min(int(given.pop("limit")), self.page)
        cursor = given.pop("cursor", None)
        as_of = moment(given.pop("as_of", None))
        before = None
        if cursor is not None:
            before, seconds = map(int, cursor.removeprefix("cursor-").split("-"))
            as_of = datetime.fromtimestamp(seconds, UTC)
        query = msgspec.convert(given, TokenQuery, strict=False)
        first = [page async for page in self.source.read_token_pages(query, as_of)]
        tokens = [t for page in first for t in page.tokens if before is None or t.issued.position < before]
        more = len(tokens) > limit
        at = first[0].as_of
        following = f"cursor-{tokens[limit - 1].issued.position}-{at.instant.timestamp():.0f}" if more else None
        return document(msgspec.structs.replace(first[0], tokens=tokens[:limit], next=following))

    async def _events(self, request: web.Request) -> web.Response:
        given = dict(request.query)
        after, limit = int(given.pop("after")), min(int(given.pop("limit")), self.page)
        return document(await self.source.read_event_page(event_query(given), after=after, limit=limit))

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        self._streaming.add(asyncio.current_task())
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        after, sent = int(request.headers["Last-Event-ID"]), 0
        await response.write(b": heartbeat\n\n")
        async for event in self.source.stream_events(event_query(dict(request.query)), after=after):
            if sent == self.cut_after:
                await response.write(b'id: 99\nevent: token.issued\ndata: {"posi')
                request.transport.abort()
                break
            text = msgspec.json.encode(event).decode()
            await response.write(f"id: {event.position}\nevent: {event.type}\ndata: {text}\n\n".encode())
            sent += 1
        return response

    async def _events_of_client(self, request: web.Request) -> web.Response:
        client_id = request.match_info["client_id"]
        events = await self.source.read_client_events(client_id)
        return document(ClientEventsDocument(client_id=client_id, events=events))

    async def _summary(self, request: web.Request) -> web.Response:
        question = msgspec.convert(dict(request.query), SummaryQuery)
        return document(await self.source.summarize(question))


class InThread:
    """Runs an AuditService beside a test that is no coroutine."""

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
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=60)


def document(found: Any) -> web.Response:
    """A document, with a member that a later release might add."""
    return answer(Given(200, msgspec.to_builtins(found) | {"of_a_later_release": True}))


def answer(given: Given) -> web.Response:
    if isinstance(given.body, dict):
        kind = "application/json" if given.status == 200 or "error" in given.body else "application/problem+json"
        body = msgspec.json.encode(given.body)
        return web.Response(status=given.status, body=body, headers=given.headers, content_type=kind)
    return web.Response(status=given.status, text=given.body or "", headers=given.headers)


def event_query(given: dict[str, str]) -> EventQuery:
    types = tuple(given.pop("type").split(",")) if "type" in given else ()
    return msgspec.structs.replace(msgspec.convert(given, EventQuery), types=types)


def moment(text: str | None) -> datetime | int | None:
    if text is None or text.isdecimal():
        return None if text is None else int(text)
    return datetime.fromisoformat(text)
