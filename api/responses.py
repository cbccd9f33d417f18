"""Responses: the headers that each kind carries, made once, and JSON bodies."""

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from api.errors import TEMPORARILY_UNAVAILABLE, ErrorKind, error_description

SERVER = "token-ledger"
RETRY_AFTER = "1"
POSITION_HEADER = "Token-Ledger-Position"
"""Where in the issuer's log the change of this answer is."""

_NOT_STORED = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_PROTECTED_JSON = {"Content-Type": "application/json", "X-Content-Type-Options": "nosniff", "Server": SERVER}

JSON_HEADERS = CIMultiDict({**_PROTECTED_JSON, **_NOT_STORED})
EMPTY_HEADERS = CIMultiDict({"Server": SERVER, **_NOT_STORED})
PUBLIC_HEADERS = CIMultiDict({**_PROTECTED_JSON, "Cache-Control": "public, max-age=300"})

encode_json = msgspec.json.Encoder().encode


class ErrorAnswer(msgspec.Struct, frozen=True):
    """The body of every error answer (RFC 6749 §5.2)."""

    error: str
    error_description: str


def json_response(body: bytes, status: int = 200, *, position: int | None = None) -> web.Response:
    """An answer of an OAuth endpoint: never stored (RFC 6749 §5.1). `position` is where the log has the change."""
    headers = JSON_HEADERS.copy()
    if position is not None:
        headers[POSITION_HEADER] = str(position)
    return web.Response(body=body, status=status, headers=headers)


def empty_response(*, position: int | None = None) -> web.Response:
    """200 without a body, never stored. `position` is where the log has the change."""
    headers = EMPTY_HEADERS.copy()
    if position is not None:
        headers[POSITION_HEADER] = str(position)
    return web.Response(headers=headers)


def public_response(body: bytes) -> web.Response:
    """A JSON document that anybody may keep for a while."""
    return web.Response(body=body, headers=PUBLIC_HEADERS.copy())


def error_response(kind: ErrorKind, description: str | None = None) -> web.Response:
    """The answer of an error; with Retry-After where trying again helps."""
    text = error_description(description or kind.description)
    response = json_response(encode_json(ErrorAnswer(kind.code, text)), kind.status)
    if kind is TEMPORARILY_UNAVAILABLE:
        response.headers["Retry-After"] = RETRY_AFTER
    return response
