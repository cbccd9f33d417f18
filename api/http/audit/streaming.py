"""Answers that take longer than a moment: begun, carried on as fast as they are read, and ended in a way that tells."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any

import structlog
from aiohttp import hdrs, web

from api.http.errors import SERVER_ERROR, error_kind_for
from api.http.request_context import REQUEST_CONTEXT, REQUEST_ID
from api.http.responses import SERVER
from ledger.domain.errors import LedgerError

END_TIMEOUT_SECONDS = 1.0
"""How long a reader may take to take the end of an answer, before the connection is cut."""

Send = Callable[[bytes], Coroutine[Any, Any, None]]
"""Sends bytes; returns once the reader has room for more. Raises ConnectionError when there is no reader any more."""

Body = Callable[[Send], Coroutine[Any, Any, bool]]
"""Sends an answer; says whether it came to its end, or was broken off because its reader may have no more of it."""


class OpenStreams:
    """The answers that would go on for ever, to end them when the service stops."""

    def __init__(self) -> None:
        self._open: set[asyncio.Task[bool]] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._open)

    async def run(self, body: Coroutine[Any, Any, bool]) -> bool:
        """Let one go on until it ends by itself, or the service stops; that is an end as good as any."""
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
        """End those that are open, and any that is still to begin. For `on_shutdown`."""
        self._closed = True
        for task in self._open:
            task.cancel()


async def stream(
    request: web.Request, headers: Mapping[str, str], body: Body, open_streams: OpenStreams | None = None
) -> web.StreamResponse:
    """Begin an answer and let its body be sent. What goes wrong from here on can only be told by breaking it off.

    `open_streams` is for one that would go on for ever. A log line of its own says that it began, because that of the
    request comes when it has ended, and says how.
    """
    context = request[REQUEST_CONTEXT]
    response = web.StreamResponse(headers={**headers, hdrs.SERVER: SERVER, REQUEST_ID: context.request_id})
    await response.prepare(request)
    if request.method == hdrs.METH_HEAD:
        return response
    log = structlog.get_logger()
    log.info("answer begun", request_id=context.request_id, client_id=context.client_id, **(context.more or {}))

    async def send(data: bytes) -> None:
        await response.write(data)
        await request.writer.drain()

    try:
        sending = body(send)
        whole = await (sending if open_streams is None else open_streams.run(sending))
        ended = "complete" if whole else "token no longer active"
    except ConnectionError:
        whole, ended = False, "reader gone"
    except Exception as error:  # noqa: BLE001 (it has been answered 200 already: it is logged, and the answer broken off)
        whole, ended = False, _log(error, context.request_id)
    context.more = {**(context.more or {}), "ended": ended}
    if whole or open_streams is not None:
        await _finish(request, response)
    else:
        _cut(request)
    return response


def _log(error: Exception, request_id: str) -> str:
    """What the log line says of an error; one that is not expected gets a line of its own, with its trace."""
    if isinstance(error, LedgerError) and error_kind_for(error) is not SERVER_ERROR:
        return str(error)
    structlog.get_logger().error("unexpected error", request_id=request_id, exc_info=error)
    return SERVER_ERROR.code


async def _finish(request: web.Request, response: web.StreamResponse) -> None:
    with suppress(ConnectionError):
        try:
            await asyncio.wait_for(response.write_eof(), END_TIMEOUT_SECONDS)
        except TimeoutError:
            _cut(request)


def _cut(request: web.Request) -> None:
    """Without the end of the last chunk, a reader knows that this was not all."""
    transport = request.transport
    if transport is not None:
        transport.abort()
