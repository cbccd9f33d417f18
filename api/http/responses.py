"""Responses: the headers that each kind carries, and JSON bodies."""

from http import HTTPStatus

import msgspec

from api.http.errors import ErrorKind, error_description
from api.http.raw_response import RawResponse, header_lines

SERVER = "token-ledger"
RETRY_AFTER = "1"
POSITION_HEADER = "Token-Ledger-Position"
"""Where in the issuer's log the change of this answer is."""

_NOT_STORED = {"Cache_Control": "no-store", "Pragma": "no-cache"}
_PROTECTED_JSON = {"Content_Type": "application/json", "X_Content_Type_Options": "nosniff", "Server": SERVER}

PROBLEM_HEADERS = header_lines(**_PROTECTED_JSON | {"Content_Type": "application/problem+json"}, **_NOT_STORED)
JSON_HEADERS = header_lines(**_PROTECTED_JSON, **_NOT_STORED)
EMPTY_HEADERS = header_lines(Server=SERVER, **_NOT_STORED)
PUBLIC_HEADERS = header_lines(**_PROTECTED_JSON, Cache_Control="public, max-age=300")

encode_json = msgspec.json.Encoder().encode


class ErrorDocument(msgspec.Struct, frozen=True):
    """The body of every error answer (RFC 6749 §5.2)."""

    error: str
    error_description: str


def json_response(body: bytes, status: int = 200, *, position: int | None = None) -> RawResponse:
    """An answer of an OAuth endpoint: never stored (RFC 6749 §5.1). `position` is where the log has the change."""
    return _at(position, RawResponse(JSON_HEADERS, body, status))


def empty_response(*, position: int | None = None) -> RawResponse:
    """200 without a body, never stored. `position` is where the log has the change."""
    return _at(position, RawResponse(EMPTY_HEADERS))


def public_response(body: bytes) -> RawResponse:
    """A JSON document that anybody may keep for a while."""
    return RawResponse(PUBLIC_HEADERS, body)


def error_response(kind: ErrorKind, description: str | None = None) -> RawResponse:
    """The answer of an error; with Retry-After where trying again helps."""
    text = error_description(description or kind.description)
    response = json_response(encode_json(ErrorDocument(kind.code, text)), kind.status)
    return with_retry(kind, response)


def with_retry(kind: ErrorKind, response: RawResponse) -> RawResponse:
    """The answer with Retry-After, where trying again helps."""
    if kind.status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = RETRY_AFTER
    return response


def _at(position: int | None, answer: RawResponse) -> RawResponse:
    if position is not None:
        answer.headers[POSITION_HEADER] = str(position)
    return answer
