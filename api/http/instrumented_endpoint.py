"""What stands around every endpoint: a request id, an answer for every error, and one log line a request.

It wraps handlers directly instead of being an aiohttp middleware. A middleware runs through three more layers of the
library, which took a sixth of the time of an introspection.
"""

from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import Generic, TypeVar

from aiohttp import hdrs, web
from msgspec import Struct
from structlog.typing import FilteringBoundLogger

from api.http.errors import (
    INVALID_CLIENT,
    METHOD_NOT_ALLOWED,
    SERVER_ERROR,
    ErrorKind,
    RequestError,
    RequestFailure,
    error_kind_for,
    error_kind_for_status,
)
from api.http.raw_response import RawResponse
from api.http.request_context import REQUEST_CONTEXT, REQUEST_ID, FormRequest, RequestContext, request_id_of
from api.http.request_log import RequestLog
from api.http.responses import error_response
from api.service.counts import RequestCounts
from ledger.domain.errors import LedgerError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
FormHandler = Callable[[FormRequest], Awaitable[RawResponse]]
"""One that needs no more of a request than an endpoint for forms does, and answers in one piece."""

Request = TypeVar("Request", bound=FormRequest)
Response = TypeVar("Response", bound=web.StreamResponse)


class Endpoint(Struct, frozen=True):
    """What there is to know of an endpoint besides what it does.

    `name` and `issuer` (the name of its log) are for the log line, which comes at level debug when `quiet`;
    `challenge` is for WWW-Authenticate; `methods` are for Allow. `failed` makes the answers of its errors, where
    they are not those of OAuth 2.0.
    """

    name: str
    methods: Sequence[str] = ()
    issuer: str | None = None
    challenge: str | None = None
    quiet: bool = False
    failed: Callable[[RequestFailure], RawResponse] | None = None


class InstrumentedEndpoint(Generic[Request, Response]):
    """An endpoint as it is served: its handler, and what to do about everything that the handler raises."""

    def __init__(
        self,
        endpoint: Endpoint,
        handler: Callable[[Request], Awaitable[Response]],
        log: FilteringBoundLogger,
        counts: RequestCounts,
    ) -> None:
        self._endpoint = endpoint
        self._counts = counts
        self._handler = handler
        self._log = RequestLog(log, endpoint.name, endpoint.issuer, quiet=endpoint.quiet)

    async def handle(self, request: Request) -> Response | RawResponse:
        """Let the handler answer, or answer its error."""
        started = perf_counter()
        context = request[REQUEST_CONTEXT] = RequestContext(request_id_of(request))
        failure: dict[str, str] | None = None
        try:
            response: Response | RawResponse = await self._handler(request)
        except Exception as error:  # noqa: BLE001 (what is not expected is answered 500 and logged with its trace)
            failure = {}
            response = self._answer(error, context, failure)
        response.headers[REQUEST_ID] = context.request_id
        seconds = perf_counter() - started
        self._counts.add(response.status, seconds)
        ms = round(seconds * 1000, 2)
        if failure is not None or context.more is not None or not self._log.write_plain(context, response.status, ms):
            self._log.write(context, failure or {}, response.status, ms)
        return response

    def _answer(self, error: Exception, context: RequestContext, failure: dict[str, str]) -> RawResponse:
        """The answer of an error; `failure` is given what the log line is to say of it."""
        kind, description = _kind_of(error)
        if kind is SERVER_ERROR:
            self._log.unexpected(context, error)
        elif isinstance(error, LedgerError) and kind.status >= SERVER_ERROR.status:
            failure["reason"] = str(error)
        failure["error"] = kind.code
        if self._endpoint.failed is not None:
            parameter = error.parameter if isinstance(error, RequestError) else None
            response = self._endpoint.failed(RequestFailure(kind, description, context.request_id, parameter))
        else:
            response = error_response(kind, description)
        if kind is INVALID_CLIENT and self._endpoint.challenge is not None:
            response.headers[hdrs.WWW_AUTHENTICATE] = self._endpoint.challenge
        elif kind is METHOD_NOT_ALLOWED:
            response.headers[hdrs.ALLOW] = ", ".join(self._endpoint.methods)
        return response


def _kind_of(error: Exception) -> tuple[ErrorKind, str | None]:
    """The answer of an error, and its description where the error has one that is fit for the caller."""
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
