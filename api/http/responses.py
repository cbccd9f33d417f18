"""Responses that are rendered whole: the fixed headers of each kind, JSON bodies, and OAuth errors.

aiohttp's Response prepares and serialises every header of every response, which took a tenth of the time of an
introspection. It also negotiates compression, chunks and cookies, which this service does not use.
"""

import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

import msgspec
from aiohttp import HttpVersion, HttpVersion11, hdrs, web
from aiohttp.abc import AbstractStreamWriter

from api.http.errors import ErrorKind, RequestError, error_description

SERVER = "token-ledger"
RETRY_AFTER_SECONDS = "1"
POSITION_HEADER = "Token-Ledger-Position"
"""The position in the issuer's log of the recorded event, or the position that the response reflects."""

encode_json = msgspec.json.Encoder().encode


class RawResponse(web.StreamResponse):
    """A response whose head and body go out in one write.

    `fixed` holds rendered header lines, the same for every response of a kind. `headers` takes the others.
    """

    def __init__(self, fixed: str, body: bytes = b"", status: int = 200, position: int | None = None) -> None:
        # The base constructor prepares state that this service's responses never use.
        self._status = status
        others = {} if position is None else {POSITION_HEADER: str(position)}
        self._headers: dict[str, str] = others  # type: ignore[assignment]
        self._state = {}
        self._fixed = fixed
        self._whole_body = body
        self._prepared_for: web.BaseRequest | None = None

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send nothing yet: head and body are written together."""
        self._prepared_for = request
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Send the response. Raises ConnectionError if the client disconnected, RuntimeError if not prepared."""
        request, self._prepared_for = self._prepared_for, None
        if request is None:
            msg = "a response is sent once, after it was prepared"
            raise RuntimeError(msg)
        if self._keep_alive is None:
            self._keep_alive = request.keep_alive
        head = self._head(_first_lines(request.version, self._status, self._keep_alive))
        await request.writer.write_eof(head if request.method == hdrs.METH_HEAD else head + self._whole_body + data)
        self._eof_sent = True

    def render(self) -> bytes:
        """Return head and body for a POST over HTTP/1.1 on a connection that stays open."""
        return self._head(_first_line(self._status)) + self._whole_body

    def _head(self, first: str) -> bytes:
        others = "".join([f"{name}: {_checked(value)}\r\n" for name, value in self._headers.items()])
        date = _date_line(int(time.time()))
        return f"{first}{self._fixed}{others}{date}Content-Length: {len(self._whole_body)}\r\n\r\n".encode()


def header_lines(**headers: str) -> str:
    """Render header lines for `fixed`; underscores in names become hyphens."""
    return "".join(f"{name.replace('_', '-')}: {_checked(value)}\r\n" for name, value in headers.items())


def _checked(value: str) -> str:
    if "\r" in value or "\n" in value or "\x00" in value:
        msg = "a header value must not contain a line break or NUL"
        raise ValueError(msg)
    return value


@lru_cache(maxsize=2)
def _date_line(second: int) -> str:
    return f"Date: {formatdate(second, usegmt=True)}\r\n"


@lru_cache(maxsize=64)
def _first_line(status: int) -> str:
    return _first_lines(HttpVersion11, status, keep_alive=True)


@lru_cache(maxsize=256)
def _first_lines(version: HttpVersion, status: int, keep_alive: bool | None) -> str:  # noqa: FBT001 (a key of the cache)
    """The status line, and a Connection header where the version's default does not apply (RFC 9112 §9.3)."""
    lines = f"HTTP/{version.major}.{version.minor} {status} {HTTPStatus(status).phrase}\r\n"
    if version >= HttpVersion11:
        return lines if keep_alive else f"{lines}Connection: close\r\n"
    return f"{lines}Connection: keep-alive\r\n" if keep_alive else lines


_NOT_STORED = {"Cache_Control": "no-store", "Pragma": "no-cache"}
_PROTECTED_JSON = {"Content_Type": "application/json", "X_Content_Type_Options": "nosniff", "Server": SERVER}

PROBLEM_HEADERS = header_lines(**_PROTECTED_JSON | {"Content_Type": "application/problem+json"}, **_NOT_STORED)
JSON_HEADERS = header_lines(**_PROTECTED_JSON, **_NOT_STORED)
EMPTY_HEADERS = header_lines(Server=SERVER, **_NOT_STORED)
PUBLIC_HEADERS = header_lines(**_PROTECTED_JSON, Cache_Control="public, max-age=300")
"""For documents that caches may keep for five minutes."""


class ErrorDocument(msgspec.Struct, frozen=True):
    """The body of an OAuth error response (RFC 6749 §5.2)."""

    error: str
    error_description: str


def json_response(body: bytes, status: int = 200, *, position: int | None = None) -> RawResponse:
    """A JSON response that must not be stored (RFC 6749 §5.1)."""
    return RawResponse(JSON_HEADERS, body, status, position)


def render_oauth_error(error: RequestError, _request_id: str) -> RawResponse:
    """Render an error as RFC 6749 §5.2 specifies."""
    return error_response(error.kind, str(error))


def error_response(kind: ErrorKind, description: str | None = None) -> RawResponse:
    """An OAuth error response; a 503 has Retry-After."""
    text = error_description(description or kind.description)
    return with_retry_after(json_response(encode_json(ErrorDocument(kind.code, text)), kind.status))


def with_retry_after(response: RawResponse) -> RawResponse:
    """Add Retry-After to a 503."""
    if response.status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers[hdrs.RETRY_AFTER] = RETRY_AFTER_SECONDS
    return response
