"""Wrap an endpoint: assign a request id, turn errors into responses, count the request and log one line.

It wraps handlers directly instead of being an aiohttp middleware. A middleware runs through three more layers of the
library, which took a sixth of the time of an introspection.
"""

from bisect import bisect_left
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import Generic, TypeVar

import structlog
from aiohttp import hdrs, web
from msgspec import Struct, field
from structlog.typing import FilteringBoundLogger

from api.http.errors import (
    METHOD_NOT_ALLOWED,
    SERVER_ERROR,
    ErrorKind,
    RequestError,
    RequestFailure,
    error_kind_for,
    error_kind_for_status,
)
from api.http.operation import Operation
from api.http.request_context import REQUEST_CONTEXT, REQUEST_ID, FormRequest, RequestContext, request_id_of
from api.http.request_log import RequestLog
from api.http.responses import RawResponse, render_oauth_error
from ledger.domain.errors import LedgerError

DURATION_BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper bounds of the request duration histogram; a last bucket counts longer requests."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
FormHandler = Callable[[FormRequest], Awaitable[RawResponse]]
"""A handler that uses only the form part of a request and responds in one piece."""

ErrorRenderer = Callable[[RequestFailure], RawResponse]

Request = TypeVar("Request", bound=FormRequest)
Response = TypeVar("Response", bound=web.StreamResponse)


class Endpoint(Struct, frozen=True):
    """An operation at an issuer. `issuer` is the name of its log; None for the endpoints of the whole service."""

    operation: Operation
    issuer: str | None = None
    render_error: ErrorRenderer = render_oauth_error


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


class InstrumentedEndpoint(Generic[Request, Response]):
    """An endpoint's handler with a request id, error responses, counts and a log line."""

    def __init__(
        self,
        endpoint: Endpoint,
        handler: Callable[[Request], Awaitable[Response]],
        log: FilteringBoundLogger,
        meter: RequestMeter,
    ) -> None:
        self._endpoint = endpoint
        self._handler = handler
        operation, issuer = endpoint.operation, endpoint.issuer
        self._counts = meter.counts_of(operation.name, issuer)
        self._log = RequestLog(log, operation.name, issuer, quiet=operation.quiet)

    async def handle(self, request: Request) -> Response | RawResponse:
        """Handle a request; never raises an Exception."""
        started = perf_counter()
        context = request[REQUEST_CONTEXT] = RequestContext(request_id_of(request))
        failure: dict[str, str] | None = None
        try:
            response: Response | RawResponse = await self._handler(request)
        except Exception as error:  # noqa: BLE001 (an unexpected error becomes a 500 and is logged with its trace)
            failure = {}
            response = self._error_response(error, context, failure)
        response.headers[REQUEST_ID] = context.request_id
        seconds = perf_counter() - started
        self._counts.add(response.status, seconds)
        ms = round(seconds * 1000, 2)
        if failure is not None or context.more is not None or not self._log.write_plain(context, response.status, ms):
            self._log.write(context, failure or {}, response.status, ms)
        return response

    def _error_response(self, error: Exception, context: RequestContext, failure: dict[str, str]) -> RawResponse:
        """Render an error; adds the fields for the log line to `failure`."""
        kind, description = _classify(error)
        if kind is SERVER_ERROR:
            log_unexpected_error(error, context)
        elif isinstance(error, LedgerError) and kind.status >= SERVER_ERROR.status:
            failure["reason"] = str(error)
        failure["error"] = kind.code
        parameter = error.parameter if isinstance(error, RequestError) else None
        response = self._endpoint.render_error(RequestFailure(kind, description, context.request_id, parameter))
        if kind is METHOD_NOT_ALLOWED:
            response.headers[hdrs.ALLOW] = ", ".join(self._endpoint.operation.methods)
        return response


def log_unexpected_error(error: Exception, context: RequestContext) -> None:
    """Log a defect with its trace."""
    structlog.get_logger().error("unexpected error", request_id=context.request_id, exc_info=error)


def _classify(error: Exception) -> tuple[ErrorKind, str | None]:
    """The kind of an error, and its description if the caller may see it."""
    match error:
        case RequestError():
            return error.kind, str(error)
        case LedgerError():
            kind = error_kind_for(error)
            return kind, str(error) if kind.status < SERVER_ERROR.status else None
        case web.HTTPException():
            return error_kind_for_status(error.status), None
        case _:
            return SERVER_ERROR, None
