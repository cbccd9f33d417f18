"""The catalogue of error answers: code, status and description of each, and which of the ledger's errors gives which.

Codes are those of RFC 6749 §5.2; `temporarily_unavailable` and `server_error` are borrowed from §4.1.2.1, where they
mean the same, because §5.2 has no word for them.
"""

import re

from msgspec import Struct

from ledger.errors import InvalidClient, InvalidScope, LedgerError, UnauthorizedClient, Unavailable


class ErrorKind(Struct, frozen=True):
    """A kind of error answer; `description` is used where the case at hand has none of its own."""

    code: str
    status: int
    description: str


INVALID_REQUEST = ErrorKind("invalid_request", 400, "The request cannot be understood.")
INVALID_CLIENT = ErrorKind("invalid_client", 401, "Client authentication failed.")
UNAUTHORIZED_CLIENT = ErrorKind("unauthorized_client", 400, "The client may not do this.")
INTROSPECTION_FORBIDDEN = ErrorKind("unauthorized_client", 403, "This client may not introspect tokens.")
UNSUPPORTED_GRANT_TYPE = ErrorKind("unsupported_grant_type", 400, "The grant type is not supported here.")
INVALID_SCOPE = ErrorKind("invalid_scope", 400, "The scope is unknown, malformed or not allowed for this client.")
NOT_FOUND = ErrorKind("not_found", 404, "There is no endpoint at this path.")
METHOD_NOT_ALLOWED = ErrorKind("invalid_request", 405, "This endpoint does not take this HTTP method; see Allow.")
CONTENT_TOO_LARGE = ErrorKind("invalid_request", 413, "The body exceeds 64 KiB.")
UNSUPPORTED_MEDIA_TYPE = ErrorKind("invalid_request", 415, "The body must be application/x-www-form-urlencoded.")
SERVER_ERROR = ErrorKind("server_error", 500, "Something went wrong here; the request id leads to the log entry.")
TEMPORARILY_UNAVAILABLE = ErrorKind("temporarily_unavailable", 503, "The ledger cannot be reached now; try again.")

_OF_STATUS = {kind.status: kind for kind in (NOT_FOUND, METHOD_NOT_ALLOWED, CONTENT_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE)}
_OF_LEDGER_ERROR: dict[type[LedgerError], ErrorKind] = {
    InvalidClient: INVALID_CLIENT,
    UnauthorizedClient: UNAUTHORIZED_CLIENT,
    InvalidScope: INVALID_SCOPE,
}
_NOT_ALLOWED = re.compile(r"[^\x20-\x21\x23-\x5B\x5D-\x7E]")
_LONGEST_DESCRIPTION = 200


class RequestError(Exception):
    """A request that is answered with an error of the catalogue."""

    def __init__(self, kind: ErrorKind, description: str | None = None) -> None:
        super().__init__(description or kind.description)
        self.kind = kind


def kind_of_ledger_error(error: LedgerError) -> ErrorKind:
    """How the ledger's error is answered; SERVER_ERROR for one that no request should cause."""
    if isinstance(error, Unavailable):
        return TEMPORARILY_UNAVAILABLE
    return _OF_LEDGER_ERROR.get(type(error), SERVER_ERROR)


def kind_of_status(status: int) -> ErrorKind:
    """How a status that the HTTP library decided on is answered."""
    if status in _OF_STATUS:
        return _OF_STATUS[status]
    known = INVALID_REQUEST if 400 <= status < 500 else SERVER_ERROR  # noqa: PLR2004 (the class of the status)
    return ErrorKind(known.code, status, known.description)


def error_description(text: str) -> str:
    """The text within the characters RFC 6749 §5.2 allows (%x20-21 / %x23-5B / %x5D-7E), at most 200 of them.

    Others become question marks. It echoes what a caller sent, so it goes to the caller only, never to a log.
    """
    return _NOT_ALLOWED.sub("?", text[:_LONGEST_DESCRIPTION])
