"""One connection of a client: aiohttp's, with our error responses and the fast path."""

import asyncio
from typing import Any, Final

import structlog
from aiohttp import HttpVersion11, StreamReader, hdrs, web
from aiohttp.http import HttpRequestParser, RawRequestMessage
from multidict import CIMultiDictProxy

from api.http.errors import error_kind_for_status
from api.http.instrumented_endpoint import FormHandler, new_request_id
from api.http.request_context import REQUEST_ID
from api.http.responses import error_response

MAX_BODY_BYTES: Final = 16 * 1024

REQUIRED: Final[dict[type, tuple[str, ...]]] = {
    web.RequestHandler: (
        *("_close", "_current_request", "_force_close", "_keepalive_handle", "_keepalive_timeout", "_loop", "_manager"),
        *("_messages", "_next_keepalive_close_time", "_parser", "_paused", "_process_keepalive", "_reading_paused"),
        *("_request_count", "_upgraded", "_waiter"),
    ),
    HttpRequestParser: ("message_consumed",),
    StreamReader: ("is_eof", "read_nowait", "total_bytes"),
}
"""What `FastPathConnection` uses of aiohttp without a promise that it stays."""


def find_missing_attributes() -> list[str]:
    """The required attributes that this release of aiohttp does not have."""
    return [f"{of.__name__}.{name}" for of, names in REQUIRED.items() for name in names if not hasattr(of, name)]


class FastPathRequest(dict[Any, Any]):
    """A `FormRequest` that arrived whole. Like aiohttp's request, it is also a mapping for values kept with it."""

    __slots__ = ("_body", "_peer", "content_length", "headers")
    method = hdrs.METH_POST

    def __init__(self, headers: CIMultiDictProxy[str], body: bytes, peer: object) -> None:
        """`peer` is the transport's name of it: a tuple that begins with the address, or the path of a socket."""
        self.headers = headers
        self.content_length = len(body)
        self._body = body
        self._peer = peer

    @property
    def remote(self) -> str | None:
        """The peer's address."""
        peer = self._peer[0] if isinstance(self._peer, tuple | list) else self._peer
        return None if peer is None else str(peer)

    async def read(self) -> bytes:
        """The body."""
        return self._body


class Connection(web.RequestHandler):
    """aiohttp's connection, with our responses to malformed HTTP.

    aiohttp's own are plain text that quotes the request, and it logs them. An Authorization header may be in there.
    """

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 (it quotes the request)
    ) -> web.StreamResponse:
        """Respond to malformed HTTP, or to a request whose handler failed."""
        if request.writer.output_size > 0:
            msg = "a response has been sent already"
            raise ConnectionError(msg)
        kind = error_kind_for_status(status)
        request_id = new_request_id()
        structlog.get_logger().info(
            "malformed request",
            request_id=request_id,
            status=kind.status,
            error=kind.code,
            reason=type(exc).__name__ if exc is not None else None,
        )
        response = error_response(kind)
        response.headers[REQUEST_ID] = request_id
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Log a defect, but not a body that could not be decoded.

        aiohttp meets that error again when it skips the rest of the body; the response was 400 by then.
        """
        if not isinstance(kw.get("exc_info"), web.RequestPayloadError):
            super().log_exception(*args, **kw)


class FastPathConnection(Connection):
    """A connection that handles small forms itself while aiohttp's reading task stays suspended."""

    __slots__ = ("_forms", "_half_closed", "_newest_body", "_suspended", "_task")

    def __init__(self, manager: web.Server, forms: dict[str, FormHandler], **options: Any) -> None:
        """`forms` are the handlers by path; `options` are those of aiohttp's RequestHandler."""
        super().__init__(manager, **options)
        self._forms = forms
        self._half_closed = False
        self._newest_body: StreamReader | None = None
        self._suspended: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    def data_received(self, data: bytes) -> None:
        """Parse what arrived, and handle it here if it is one request for the fast path."""
        waiter = self._waiter
        if waiter is None or waiter.done() or self._close or self._force_close:
            self._receive(data)
            return
        self._waiter = None  # so that aiohttp's task is not woken before the request was examined
        try:
            super().data_received(data)
        finally:
            self._waiter = waiter
        if not self._messages:
            return
        if len(self._messages) == 1 and not self._paused and not self._upgraded:
            message, body = self._messages[0]
            handler = self._forms.get(getattr(message, "path", ""))
            if handler is not None and _is_small_and_whole(message, body):
                self._start_handling(handler, waiter)
                return
        self._newest_body = self._messages[-1][1]
        if not waiter.done():
            waiter.set_result(None)

    def eof_received(self) -> bool:  # type: ignore[override]  # aiohttp never returns True
        """Keep the connection of a client that only shut down its sending side until it has its responses.

        aiohttp closes it at once. Ends all the same: an incomplete request, and a response that is being streamed.
        """
        waiter, body, request = self._waiter, self._newest_body, self._current_request
        if (
            self._request_count == 0
            or (waiter is not None and not waiter.done())
            or (body is not None and not body.is_eof())
            or (request is not None and request.writer.output_size > 0)
        ):
            return False
        if self._messages:
            self._half_closed = True
        else:
            self.close()
        return True

    def close_after_last_request(self) -> None:
        """Close a half-closed connection after the response to this request, if no other request waits."""
        if self._half_closed and not self._messages:
            self.close()

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: FBT001, FBT002 (aiohttp's signature)
        """Resume reading if it is paused. aiohttp also calls this, and then parses nothing, after each whole body."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def _receive(self, data: bytes) -> None:
        """Leave data to aiohttp, also the rest of a body that was on its way when the server began to stop.

        aiohttp drops all data from then on: the handler would wait for the body in vain, and the client for a response.
        """
        request = self._current_request
        stopping = self._close, self._force_close
        if any(stopping) and request is not None and not request.content.is_eof():
            self._close = self._force_close = False
            try:
                super().data_received(data)
            finally:
                self._close, self._force_close = stopping
            return
        super().data_received(data)
        if self._messages:
            self._newest_body = self._messages[-1][1]

    def _start_handling(self, handler: FormHandler, waiter: asyncio.Future[None]) -> None:
        message, body = self._messages.popleft()
        assert self._parser is not None
        assert self._manager is not None
        self._parser.message_consumed()
        self._manager.requests_count += 1
        # aiohttp takes a connection for idle while its task waits. At shutdown it waits for that task to end.
        self._waiter, self._suspended = None, waiter
        request = FastPathRequest(message.headers, body.read_nowait(), self.peername)  # type: ignore[union-attr]
        self._task = self._loop.create_task(self._respond(handler, request))

    async def _respond(self, handler: FormHandler, request: FastPathRequest) -> None:
        try:
            response = await handler(request)
            if self.transport is not None:
                self.transport.write(response.render())
        except BaseException:
            self.force_close()
            raise
        finally:
            self._resume_task()

    def _resume_task(self) -> None:
        """Give the connection back to aiohttp's task, or end it if it is to end."""
        waiter, self._suspended, self._task = self._suspended, None, None
        assert waiter is not None
        if self._close or self._force_close:
            waiter.cancel()
            if self.transport is not None:
                self.transport.close()
            return
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._keepalive_handle is None:
            self._keepalive_handle = self._loop.call_at(self._next_keepalive_close_time, self._process_keepalive)
        if not waiter.done():
            self._waiter = waiter
            if self._messages:
                waiter.set_result(None)


def _is_small_and_whole(message: object, body: StreamReader) -> bool:
    """Whether a request arrived whole and requires no more of HTTP than a response on a connection that stays open."""
    return (
        isinstance(message, RawRequestMessage)
        and message.method == hdrs.METH_POST
        and message.version == HttpVersion11
        and not (message.should_close or message.upgrade or message.compression)
        and body.is_eof()
        and body.total_bytes <= MAX_BODY_BYTES
        and body.exception() is None
        and hdrs.EXPECT not in message.headers
    )
