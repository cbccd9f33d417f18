"""One connection of a client: the library's, with a short way for forms and answers of our own for what is no HTTP.

The library answers what it cannot parse in plain text that quotes what was sent, and logs it. An Authorization header
may be in there.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from aiohttp import web

from api.http.direct import DirectRequest, Forms, is_direct
from api.http.errors import error_kind_for_status
from api.http.request_context import REQUEST_ID, FormRequest, new_request_id
from api.http.responses import RawResponse, error_response


class Connection(web.RequestHandler):
    """Reads requests and answers them in turn.

    A task of the library waits for the next request. Where that can go the short way, the task is left waiting and the
    request is answered here; what comes meanwhile waits in line for the task.
    """

    __slots__ = ("_answering", "_forms", "_idle")

    def __init__(self, manager: web.Server, forms: Forms, **options: Any) -> None:
        """`options` are those of the library's RequestHandler."""
        super().__init__(manager, **options)
        self._forms = forms
        self._answering: asyncio.Task[None] | None = None
        self._idle: asyncio.Future[None] | None = None

    def data_received(self, data: bytes) -> None:
        """Parse what came, and answer what can be answered the short way."""
        idle = self._waiter
        if idle is None or idle.done() or self._close or self._force_close:
            self._receive(data)
            return
        self._waiter = None  # so that the library's task is not woken before the request was looked at
        try:
            super().data_received(data)
            handler = self._direct_handler()
        finally:
            self._waiter = idle
        if handler is not None:
            self._answer_directly(handler, idle)
        elif self._messages and not idle.done():
            idle.set_result(None)

    def _receive(self, data: bytes) -> None:
        """Take the rest of a body also when it was on its way when the server began to stop.

        The library drops whatever arrives from then on: its handler would wait for the body in vain, and the client
        for an answer.
        """
        request = self._current_request
        if (self._close or self._force_close) and request is not None and not request.content.is_eof():
            stopping = self._close, self._force_close
            self._close = self._force_close = False
            try:
                super().data_received(data)
            finally:
                self._close, self._force_close = stopping
        else:
            super().data_received(data)

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: FBT001, FBT002 (the library's own signature)
        """Go on reading where it was paused. The library parses nothing once more after each body that was read."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def _direct_handler(self) -> Callable[[FormRequest], Awaitable[RawResponse]] | None:
        """What answers the one request that waits, where it may go the short way."""
        if len(self._messages) != 1 or self._paused or self._upgraded:
            return None
        message, payload = self._messages[0]
        handler = self._forms.get(getattr(message, "path", ""))
        return handler if handler is not None and is_direct(message, payload) else None

    def _answer_directly(
        self, handler: Callable[[FormRequest], Awaitable[RawResponse]], idle: asyncio.Future[None]
    ) -> None:
        message, payload = self._messages.popleft()
        assert self._parser is not None
        assert self._manager is not None
        self._parser.message_consumed()
        self._manager.requests_count += 1
        # The library takes a connection whose task waits for idle. That the task ends, it waits for by itself.
        self._waiter, self._idle = None, idle
        request = DirectRequest(message.headers, payload.read_nowait(), self.peername)  # type: ignore[union-attr]
        self._answering = self._loop.create_task(self._answer_form(handler, request))

    async def _answer_form(
        self, handler: Callable[[FormRequest], Awaitable[RawResponse]], request: DirectRequest
    ) -> None:
        try:
            answer = await handler(request)
            if self.transport is not None:
                self.transport.write(answer.whole())
        except BaseException:
            self.force_close()
            raise
        finally:
            self._go_on()

    def _go_on(self) -> None:
        """Give the connection back to the library's task, or end it if it was to end."""
        idle, self._idle, self._answering = self._idle, None, None
        assert idle is not None
        if self._close or self._force_close:
            idle.cancel()
            if self.transport is not None:
                self.transport.close()
            return
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._keepalive_handle is None:
            self._keepalive_handle = self._loop.call_at(self._next_keepalive_close_time, self._process_keepalive)
        if not idle.done():
            self._waiter = idle
            if self._messages:
                idle.set_result(None)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 (it quotes the request)
    ) -> web.StreamResponse:
        """Answer what is no HTTP, or what no handler answered."""
        if request.writer.output_size > 0:
            msg = "an answer has been sent already"
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
        """Log what went wrong in the library, but not a body that could not be decoded.

        That is met again when what is left of it is skipped, and was answered 400 by then.
        """
        if not isinstance(kw.get("exc_info"), web.RequestPayloadError):
            super().log_exception(*args, **kw)
