"""The server under the application: it brings a request from its connection to its handler."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import structlog
from aiohttp import hdrs, web

from api.http.fast_path.connection import Connection, FastPathConnection, find_missing_attributes
from api.http.instrumented_endpoint import FormHandler, InstrumentedEndpoint

ENDPOINTS = web.AppKey("ENDPOINTS", dict[str, InstrumentedEndpoint])
"""The endpoints by path, except those whose path has parameters."""


def create_runner(app: web.Application, *, fast_path: bool = True, **options: Any) -> web.AppRunner:
    """Create the application's runner; `options` are those of `aiohttp.web.AppRunner`.

    There is no access log: its lines would hold query strings.
    """
    missing = find_missing_attributes()
    if missing:
        structlog.get_logger().warning("fast path unavailable", aiohttp=aiohttp.__version__, missing=missing)
    runner = _Runner(app, access_log=None, **options)
    endpoints = app.get(ENDPOINTS, {}) if fast_path else {}
    runner.forms = None if missing else {path: e.handle for path, e in endpoints.items() if e.takes_forms}
    return runner


class _Runner(web.AppRunner):
    forms: dict[str, FormHandler] | None

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        server = _Server(
            _dispatch(self.app, made.request_handler),
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            **made._kwargs,  # noqa: SLF001 (there is no public way to another RequestHandler)
        )
        server.forms = self.forms
        return server


class _Server(web.Server):
    forms: dict[str, FormHandler] | None
    """The handlers on the fast path; None if aiohttp lacks what `FastPathConnection` needs."""

    def __call__(self) -> web.RequestHandler:
        loop = asyncio.get_running_loop()
        if self.forms is None:
            return Connection(self, loop=loop, **self._kwargs)
        return FastPathConnection(self, self.forms, loop=loop, **self._kwargs)


def _dispatch(app: web.Application, route: Callable[[web.BaseRequest], Awaitable[Any]]) -> Any:
    """Handle requests for exactly the path of an endpoint, and leave the others to the application's router.

    The router gives the same responses. It takes a twentieth of the time of an introspection.
    """
    endpoints = app.get(ENDPOINTS, {})

    async def handle(request: web.BaseRequest) -> Any:
        if isinstance(request.protocol, FastPathConnection):
            request.protocol.close_after_last_request()
        endpoint = endpoints.get(request.raw_path)
        if endpoint is None or hdrs.EXPECT in request.headers:
            return await route(request)
        return await endpoint.handle(request)

    return handle
