"""The catalogue of error responses: code, status and description, and the ledger errors they represent.

Codes are those of RFC 6749 §5.2 and RFC 6750 §3.1. `temporarily_unavailable` and `server_error` are borrowed from
RFC 6749 §4.1.2.1, because §5.2 has no code for them. The other codes are of the audit endpoints.
"""

import re

from msgspec import Struct

from ledger.domain.errors import Archived, InvalidClient, InvalidScope, LedgerError, UnauthorizedClient, Unavailable
from ledger.use_cases.audit import InstantInFuture, NotCaughtUp, PositionBeyondHead


class ErrorKind(Struct, frozen=True):
    """A kind of error response; `description` is the default description."""

    code: str
    status: int
    description: str


INVALID_REQUEST = ErrorKind("invalid_request", 400, "The request is malformed.")
"""A required parameter is missing or empty; a parameter is repeated; the form is malformed, is not UTF-8, or has NUL
bytes or too many parameters; the Authorization header is malformed; or the request uses two authentication methods."""

INVALID_CLIENT = ErrorKind("invalid_client", 401, "Client authentication failed.")
"""No client authentication, an unknown client, a wrong or expired secret, or a disabled client. All get the same
response at the same cost."""

UNAUTHORIZED_CLIENT = ErrorKind("unauthorized_client", 400, "The client is not authorized for this.")
"""Token: the client may not use this grant. Revocation: the token was issued to another client, and stays active."""

INTROSPECTION_FORBIDDEN = ErrorKind("unauthorized_client", 403, "The client is not authorized to introspect tokens.")

UNSUPPORTED_GRANT_TYPE = ErrorKind("unsupported_grant_type", 400, "The grant type is not supported.")
"""Token: the grant type is not client_credentials."""

INVALID_SCOPE = ErrorKind("invalid_scope", 400, "The scope is unknown, malformed, or not allowed for this client.")
"""Token: a scope token is malformed, unknown, or not allowed for this client."""

NOT_FOUND = ErrorKind("not_found", 404, "No endpoint exists at this path.")
METHOD_NOT_ALLOWED = ErrorKind("invalid_request", 405, "The endpoint does not allow this HTTP method; see Allow.")
CONTENT_TOO_LARGE = ErrorKind("invalid_request", 413, "The request body exceeds 64 KiB.")
UNSUPPORTED_MEDIA_TYPE = ErrorKind(
    "invalid_request", 415, "The request body must be application/x-www-form-urlencoded."
)

NOT_AUTHENTICATED = ErrorKind("not_authenticated", 401, "An access token is required in the Authorization header.")
"""Audit: there is no access token in the Authorization header (RFC 6750 §3.1)."""

INVALID_TOKEN = ErrorKind("invalid_token", 401, "The access token is unknown, expired or revoked.")
"""Audit: the access token is unknown, expired or revoked."""

INSUFFICIENT_SCOPE = ErrorKind("insufficient_scope", 403, "The access token lacks the required scope.")
"""Audit: the access token lacks the scope `audit.read`."""

UNKNOWN_TOKEN = ErrorKind("unknown_token", 404, "This issuer never issued this token.")
"""Audit: this issuer never issued the token."""

UNKNOWN_CLIENT = ErrorKind("unknown_client", 404, "This client was never registered with this issuer.")
"""Audit: the client was never registered with this issuer."""

AHEAD_OF_LOG = ErrorKind("ahead_of_log", 400, "The requested position or instant is beyond the head of the log.")
"""Audit: the instant or position is beyond the head of the log."""

NOT_CAUGHT_UP = ErrorKind("not_caught_up", 503, "The projection has not reached the requested position yet; retry.")
"""Audit: the projection has not reached the requested position yet."""

ARCHIVED = ErrorKind("archived", 410, "The requested events are archived and no longer in the log.")
"""Audit: the events are archived and no longer in the log."""

SERVER_ERROR = ErrorKind("server_error", 500, "Internal error; the request id identifies the log entry.")
"""A defect. The body says no more; the request id identifies the log entry."""

TEMPORARILY_UNAVAILABLE = ErrorKind("temporarily_unavailable", 503, "The ledger is temporarily unavailable; retry.")
"""The database cannot be reached, or the queue of waiting writes is full."""

_BY_STATUS = {kind.status: kind for kind in (NOT_FOUND, METHOD_NOT_ALLOWED, CONTENT_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE)}
_BY_LEDGER_ERROR: dict[type[LedgerError], ErrorKind] = {
    InvalidClient: INVALID_CLIENT,
    UnauthorizedClient: UNAUTHORIZED_CLIENT,
    InvalidScope: INVALID_SCOPE,
    PositionBeyondHead: AHEAD_OF_LOG,
    InstantInFuture: AHEAD_OF_LOG,
    Archived: ARCHIVED,
    NotCaughtUp: NOT_CAUGHT_UP,
}
_NOT_ALLOWED = re.compile(r"[^\x20-\x21\x23-\x5B\x5D-\x7E]")
_MAX_DESCRIPTION_CHARACTERS = 200


class RequestError(Exception):
    """A request fails with an error of the catalogue. `parameter` names the parameter at fault, if there is one."""

    def __init__(self, kind: ErrorKind, description: str | None = None, *, parameter: str | None = None) -> None:
        super().__init__(description or kind.description)
        self.kind = kind
        self.parameter = parameter


def error_kind_for(error: LedgerError) -> ErrorKind:
    """The kind for a ledger error; SERVER_ERROR if no request should cause it."""
    default = TEMPORARILY_UNAVAILABLE if isinstance(error, Unavailable) else SERVER_ERROR
    return _BY_LEDGER_ERROR.get(type(error), default)


def error_kind_for_status(status: int) -> ErrorKind:
    """The kind for a status chosen by aiohttp."""
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    known = INVALID_REQUEST if 400 <= status < 500 else SERVER_ERROR  # noqa: PLR2004 (the class of the status)
    return ErrorKind(known.code, status, known.description)


def error_description(text: str) -> str:
    """Restrict text to 200 of the characters RFC 6749 §5.2 allows; others become question marks.

    The text may echo the request, so it is sent to the caller but never logged.
    """
    return _NOT_ALLOWED.sub("?", text[:_MAX_DESCRIPTION_CHARACTERS])
