"""Wrap an endpoint: assign a request id, turn errors into responses, count the request and log one line.

It wraps handlers directly instead of being an aiohttp middleware. A middleware runs through three more layers of the
library, which took a sixth of the time of an introspection.

The log line never contains the path as sent, the query string, headers or the body, because they may contain a token.
"""

import logging
import re
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from random import getrandbits
from time import perf_counter
from typing import Any

import msgspec
import structlog
from aiohttp import hdrs, web
from msgspec import Struct, field
from structlog.typing import FilteringBoundLogger

from api.http.errors import (
    METHOD_NOT_ALLOWED,
    SERVER_ERROR,
    RequestError,
    error_kind_for,
    error_kind_for_status,
)
from api.http.operation import Operation
from api.http.request_context import REQUEST_CONTEXT, REQUEST_ID, FormRequest, RequestContext
from api.http.responses import RawResponse, render_oauth_error
from api.logging.configuration import LineLogger, finish_event, render_json
from api.logging.redaction import is_plain
from ledger.domain.errors import LedgerError

DURATION_BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper bounds of the request duration histogram; a last bucket counts longer requests."""

LOG_EVENT = "request"

FormHandler = Callable[[FormRequest], Awaitable[RawResponse]]
"""A handler that uses only the form part of a request and responds in one piece."""

ErrorRenderer = Callable[[RequestError, str], RawResponse]
"""Renders an error; the second argument is the request id."""

_PLAIN_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_is_plain_client_id = lru_cache(maxsize=1024)(is_plain)
_encode = msgspec.json.Encoder().encode


class Endpoint(Struct, frozen=True):
    """An operation at an issuer, and its handler: a `FormHandler`, or one that takes a `web.Request`.

    `issuer` is the name of its log; None for the endpoints of the whole service. Without methods it takes any.
    """

    operation: Operation
    handler: Callable[[Any], Awaitable[Any]]
    issuer: str | None = None
    render_error: ErrorRenderer = render_oauth_error
    takes_forms: bool = False
    """Whether the handler is a `FormHandler`."""


class RequestCounts(Struct):
    """The requests to one endpoint, by response status and by duration."""

    endpoint: str
    issuer: str
    statuses: dict[int, int] = field(default_factory=dict)
    durations: list[int] = field(default_factory=lambda: [0] * (len(DURATION_BUCKETS_SECONDS) + 1))
    seconds: float = 0.0

    def add(self, status: int, seconds: float) -> None:
        """Count a request."""
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.durations[bisect_left(DURATION_BUCKETS_SECONDS, seconds)] += 1
        self.seconds += seconds


class RequestMeter:
    """The request counts of all endpoints of this process."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], RequestCounts] = {}

    @property
    def counts(self) -> Sequence[RequestCounts]:
        """The counts of every endpoint."""
        return list(self._counts.values())

    def counts_of(self, endpoint: str, issuer: str | None) -> RequestCounts:
        """The counts of one endpoint, created on first use."""
        key = endpoint, issuer or ""
        return self._counts.setdefault(key, RequestCounts(*key))


class PlainLine(Struct, kw_only=True, omit_defaults=True):
    """The JSON line of a request without an error: the most frequent line by far."""

    timestamp: datetime
    level: str
    event: str
    request_id: str
    endpoint: str
    client_id: str | None = None
    issuer: str | None = None
    status: int
    ms: float


class InstrumentedEndpoint:
    """An endpoint with a request id, error responses, counts and a log line."""

    def __init__(self, endpoint: Endpoint, log: FilteringBoundLogger, meter: RequestMeter) -> None:
        """Configure logging first."""
        operation, issuer = endpoint.operation, endpoint.issuer
        self._endpoint = endpoint
        self._handler = endpoint.handler
        self._methods = operation.methods
        self._name = operation.name
        self._counts = meter.counts_of(operation.name, issuer)
        self._log = log
        config = structlog.get_config()
        self._processors: list[Any] = config["processors"]
        logger = config["logger_factory"]()
        plain = is_plain(operation.name) and is_plain(issuer or "")
        enabled = not operation.quiet and log.is_enabled_for(logging.INFO)
        self._lines = logger if isinstance(logger, LineLogger) and plain and enabled else None

    @property
    def takes_forms(self) -> bool:
        """Whether it handles every `FormRequest`."""
        return self._endpoint.takes_forms

    async def handle(self, request: FormRequest) -> Any:
        """Handle a request; never raises an Exception."""
        started = perf_counter()
        given = request.headers.get(REQUEST_ID)  # kept if plain, to correlate logs across services
        request_id = given if given is not None and _PLAIN_REQUEST_ID.fullmatch(given) else new_request_id()
        context = request[REQUEST_CONTEXT] = RequestContext(request_id)
        failure: dict[str, str] | None = None
        handler = self._handler if request.method in self._methods or not self._methods else _refuse_method
        try:
            response = await handler(request)
        except Exception as error:  # noqa: BLE001 (an unexpected error becomes a 500 and is logged with its trace)
            failure = {}
            response = self._error_response(error, context, failure)
        response.headers[REQUEST_ID] = request_id
        seconds = perf_counter() - started
        self._counts.add(response.status, seconds)
        ms = round(seconds * 1000, 2)
        if failure is not None or context.more is not None or not self._write_plain_line(context, response.status, ms):
            self._write_line(context, failure or {}, response.status, ms)
        return response

    def _error_response(self, error: Exception, context: RequestContext, failure: dict[str, str]) -> RawResponse:
        """Render an error; adds the fields for the log line to `failure`."""
        shown = _shown_error(error)
        kind = shown.kind
        if kind is SERVER_ERROR:
            log_unexpected_error(error, context)
        elif isinstance(error, LedgerError) and kind.status >= SERVER_ERROR.status:
            failure["reason"] = str(error)
        failure["error"] = kind.code
        response = self._endpoint.render_error(shown, context.request_id)
        if kind is METHOD_NOT_ALLOWED:
            response.headers[hdrs.ALLOW] = ", ".join(self._methods)
        return response

    def _write_plain_line(self, context: RequestContext, status: int, ms: float) -> bool:
        """Write the line of a request without an error, bypassing structlog: a third of the time.

        Returns False without writing if lines are not JSON or the line may contain something to mask.
        """
        client_id = context.client_id
        if (
            self._lines is None
            or self._processors != [finish_event, render_json]
            or status >= SERVER_ERROR.status
            or not is_plain(context.request_id)
            or not (client_id is None or _is_plain_client_id(client_id))
        ):
            return False
        line = PlainLine(
            timestamp=datetime.now(UTC),
            level="info",
            event=LOG_EVENT,
            request_id=context.request_id,
            endpoint=self._name,
            client_id=client_id,
            issuer=self._endpoint.issuer,
            status=status,
            ms=ms,
        )
        self._lines.msg(_encode(line))
        return True

    def _write_line(self, context: RequestContext, failure: dict[str, str], status: int, ms: float) -> None:
        """Write the line of any request. Lines of quiet operations have level debug, except server errors."""
        line: dict[str, Any] = {"request_id": context.request_id, "endpoint": self._name, **failure}
        if context.client_id is not None:
            line["client_id"] = context.client_id
        line |= context.more or {}
        if self._endpoint.issuer is not None:
            line["issuer"] = self._endpoint.issuer
        quiet = self._endpoint.operation.quiet
        log = self._log.warning if status >= SERVER_ERROR.status else self._log.debug if quiet else self._log.info
        log(LOG_EVENT, **line, status=status, ms=ms)


def new_request_id() -> str:
    """128 random bits in hexadecimal. Unlikely to repeat, but guessable: it must not serve as a secret."""
    return f"{getrandbits(128):032x}"


def log_unexpected_error(error: Exception, context: RequestContext) -> None:
    """Log a defect with its trace."""
    structlog.get_logger().error("unexpected error", request_id=context.request_id, exc_info=error)


async def _refuse_method(_request: FormRequest) -> web.StreamResponse:
    raise RequestError(METHOD_NOT_ALLOWED)


def _shown_error(error: Exception) -> RequestError:
    """What the caller may see of an error."""
    match error:
        case RequestError():
            return error
        case LedgerError():
            kind = error_kind_for(error)
            return RequestError(kind, str(error) if kind.status < SERVER_ERROR.status else None)
        case web.HTTPException():
            return RequestError(error_kind_for_status(error.status))
        case _:
            return RequestError(SERVER_ERROR)
