"""The one middleware: a request id, an answer for every error, and one log line a request."""

from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import Any

from aiohttp import hdrs, web
from msgspec import Struct
from structlog.typing import FilteringBoundLogger

from api.errors import INVALID_CLIENT, SERVER_ERROR, ErrorKind, RequestError, kind_of_ledger_error, kind_of_status
from api.exchange import EXCHANGE, REQUEST_ID, Exchange, request_id_of
from api.responses import error_response
from ledger.errors import LedgerError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Endpoint(Struct, frozen=True):
    """What the middleware knows of a path. `issuer` is the name of its log; `challenge` is for WWW-Authenticate."""

    name: str
    issuer: str | None = None
    challenge: str | None = None
    quiet: bool = False


NO_ENDPOINT = Endpoint("none")


class RequestHandling:
    """Wraps every handler, and the library's own answers for unknown paths and methods too.

    The log line never holds the path as sent, the query string, headers or the body: a token may have been put there.
    """

    def __init__(self, endpoints: Mapping[str, Endpoint], log: FilteringBoundLogger) -> None:
        """`endpoints` by path."""
        self._endpoints = endpoints
        self._log = log

    @web.middleware
    async def handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let the handler answer, or answer its error."""
        started = perf_counter()
        exchange = request[EXCHANGE] = Exchange(request_id_of(request))
        endpoint = self._endpoints.get(request.path, NO_ENDPOINT)
        details: dict[str, Any] = {}
        try:
            response = await handler(request)
        except Exception as error:  # noqa: BLE001 (what is not expected is answered 500 and logged with its trace)
            response = self._answer(error, endpoint, exchange, details)
        response.headers[REQUEST_ID] = exchange.request_id
        self._write_line(response.status, endpoint, exchange, details, started)
        return response

    def _answer(
        self, error: Exception, endpoint: Endpoint, exchange: Exchange, details: dict[str, Any]
    ) -> web.Response:
        kind, description = self._kind_of(error)
        if kind is SERVER_ERROR:
            self._log.error("unexpected error", request_id=exchange.request_id, exc_info=error)
        elif isinstance(error, LedgerError) and kind.status >= SERVER_ERROR.status:
            details["reason"] = str(error)
        details["error"] = kind.code
        response = error_response(kind, description)
        if isinstance(error, web.HTTPMethodNotAllowed):
            response.headers[hdrs.ALLOW] = error.headers[hdrs.ALLOW]
        if kind is INVALID_CLIENT and endpoint.challenge is not None:
            response.headers[hdrs.WWW_AUTHENTICATE] = endpoint.challenge
        return response

    def _kind_of(self, error: Exception) -> tuple[ErrorKind, str | None]:
        """The answer of an error, and its description where the error has one that is fit for the caller."""
        match error:
            case RequestError():
                return error.kind, str(error)
            case LedgerError():
                kind = kind_of_ledger_error(error)
                return kind, str(error) if kind.status < SERVER_ERROR.status else None
            case web.HTTPException():
                return kind_of_status(error.status), None
            case _:
                return SERVER_ERROR, None

    def _write_line(
        self, status: int, endpoint: Endpoint, exchange: Exchange, details: dict[str, Any], started: float
    ) -> None:
        details["request_id"] = exchange.request_id
        if exchange.client_id is not None:
            details["client_id"] = exchange.client_id
        details["endpoint"] = endpoint.name
        if endpoint.issuer is not None:
            details["issuer"] = endpoint.issuer
        details["status"] = status
        details["ms"] = round((perf_counter() - started) * 1000, 2)
        if status >= SERVER_ERROR.status:
            self._log.warning("request", **details)
        elif endpoint.quiet:
            self._log.debug("request", **details)
        else:
            self._log.info("request", **details)
