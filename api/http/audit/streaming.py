"""Responses of unknown length: sent as fast as the reader takes them, and visibly incomplete if they break off."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import structlog
from aiohttp import hdrs, web

from api.http.errors import SERVER_ERROR, error_kind_for
from api.http.instrumented_endpoint import log_unexpected_error
from api.http.request_context import REQUEST_CONTEXT, REQUEST_ID, RequestContext
from api.http.responses import POSITION_HEADER, SERVER
from ledger.domain.errors import LedgerError

END_TIMEOUT_SECONDS = 1.0
"""How long a reader may take to receive the end of a response before the connection is cut."""

Send = Callable[[bytes], Coroutine[Any, Any, None]]
"""Sends bytes; returns once the reader has room for more. Raises ConnectionError if the reader disconnected."""

Body = Callable[[Send], Coroutine[Any, Any, bool]]
"""Sends a response body. Returns True if it is complete, False if the token became inactive."""


class OpenStreams:
    """The endless responses in progress, to end them when the service stops."""

    def __init__(self) -> None:
        self._open: set[asyncio.Task[bool]] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._open)

    async def run(self, body: Coroutine[Any, Any, bool]) -> bool:
        """Run a body until it ends or the service stops. Stopping counts as complete: the reader can resume."""
        if self._closed:
            body.close()
            return True
        task = asyncio.create_task(body)
        self._open.add(task)
        try:
            await asyncio.wait({task})
            return task.result() if not task.cancelled() else True
        finally:
            self._open.discard(task)
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def end_all(self, _app: web.Application) -> None:
        """End all open streams and accept no new ones. For `on_shutdown`."""
        self._closed = True
        for task in self._open:
            task.cancel()


async def stream(
    request: web.Request, media_type: str, position: int, body: Body, open_streams: OpenStreams | None = None
) -> web.StreamResponse:
    """Begin a response and send its body. An error after the beginning can only be signalled by breaking it off.

    `open_streams` is for endless responses. A log line of its own records the beginning; the line of the request
    follows at the end and says how the response ended.
    """
    context = request[REQUEST_CONTEXT]
    headers = {
        hdrs.CONTENT_TYPE: media_type,
        hdrs.CACHE_CONTROL: "no-store",
        "X-Content-Type-Options": "nosniff",
        "X-Accel-Buffering": "no",
        POSITION_HEADER: str(position),
        hdrs.SERVER: SERVER,
        REQUEST_ID: context.request_id,
    }
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    if request.method == hdrs.METH_HEAD:
        return response
    log = structlog.get_logger()
    log.info("response started", request_id=context.request_id, client_id=context.client_id, **(context.more or {}))

    async def send(data: bytes) -> None:
        await response.write(data)
        await request.writer.drain()

    try:
        sending = body(send)
        complete = await (sending if open_streams is None else open_streams.run(sending))
        ended = "complete" if complete else "token inactive"
    except ConnectionError:
        complete, ended = False, "reader disconnected"
    except Exception as error:  # noqa: BLE001 (the status is sent already: log the error and break off)
        complete, ended = False, _describe(error, context)
    context.log_more(ended=ended)
    if complete or open_streams is not None:
        await _finish(request, response)
    else:
        _cut(request)
    return response


def _describe(error: Exception, context: RequestContext) -> str:
    """Describe an error for the log line; an unexpected one also gets a line with its trace."""
    if isinstance(error, LedgerError) and error_kind_for(error) is not SERVER_ERROR:
        return str(error)
    log_unexpected_error(error, context)
    return SERVER_ERROR.code


async def _finish(request: web.Request, response: web.StreamResponse) -> None:
    with suppress(ConnectionError):
        try:
            await asyncio.wait_for(response.write_eof(), END_TIMEOUT_SECONDS)
        except TimeoutError:
            _cut(request)


def _cut(request: web.Request) -> None:
    """Close the connection without the last chunk, which tells the reader that the response is incomplete."""
    transport = request.transport
    if transport is not None:
        transport.abort()
