"""The catalogue of error answers: code, status and description of each, and which of the ledger's errors gives which.

Codes are those of RFC 6749 §5.2 and RFC 6750 §3.1; `temporarily_unavailable` and `server_error` are borrowed from
§4.1.2.1, where they mean the same, because §5.2 has no word for them. The others are of the audit endpoints, which
answer problem details.
"""

import re

from msgspec import Struct

from ledger.domain.errors import Archived, InvalidClient, InvalidScope, LedgerError, UnauthorizedClient, Unavailable
from ledger.use_cases.audit import AheadOfLog, NotCaughtUp


class ErrorKind(Struct, frozen=True):
    """A kind of error answer; `description` is used where the case at hand has none of its own."""

    code: str
    status: int
    description: str


INVALID_REQUEST = ErrorKind("invalid_request", 400, "The request cannot be understood.")
"""A required parameter is missing or empty; a parameter is repeated; the form is malformed, is not UTF-8, or has NUL
bytes or too many parameters; the Authorization header is malformed; or the request uses two authentication methods."""

INVALID_CLIENT = ErrorKind("invalid_client", 401, "Client authentication failed.")
"""No client authentication, an unknown client, a wrong or expired secret, or a disabled client. All get the same
response at the same cost."""

UNAUTHORIZED_CLIENT = ErrorKind("unauthorized_client", 400, "The client may not do this.")
"""Token: the client may not use this grant. Revocation: the token was issued to another client, and stays active."""

INTROSPECTION_FORBIDDEN = ErrorKind("unauthorized_client", 403, "This client may not introspect tokens.")

UNSUPPORTED_GRANT_TYPE = ErrorKind("unsupported_grant_type", 400, "The grant type is not supported here.")
"""Token: the grant type is not client_credentials."""

INVALID_SCOPE = ErrorKind("invalid_scope", 400, "The scope is unknown, malformed or not allowed for this client.")
"""Token: a scope token is malformed, unknown, or not allowed for this client."""

NOT_FOUND = ErrorKind("not_found", 404, "There is no endpoint at this path.")
METHOD_NOT_ALLOWED = ErrorKind("invalid_request", 405, "This endpoint does not take this HTTP method; see Allow.")
CONTENT_TOO_LARGE = ErrorKind("invalid_request", 413, "The body exceeds 64 KiB.")
UNSUPPORTED_MEDIA_TYPE = ErrorKind("invalid_request", 415, "The body must be application/x-www-form-urlencoded.")

NOT_AUTHENTICATED = ErrorKind("not_authenticated", 401, "An access token is required, in the Authorization header.")
"""Audit: there is no access token in the Authorization header (RFC 6750 §3.1)."""

INVALID_TOKEN = ErrorKind("invalid_token", 401, "The access token is not active here: unknown, expired or revoked.")
"""Audit: the access token is unknown, expired or revoked."""

INSUFFICIENT_SCOPE = ErrorKind("insufficient_scope", 403, "The access token lacks the scope that this takes.")
"""Audit: the access token lacks the scope `audit.read`."""

UNKNOWN_TOKEN = ErrorKind("unknown_token", 404, "This issuer has never issued such a token.")
"""Audit: this issuer never issued the token."""

UNKNOWN_CLIENT = ErrorKind("unknown_client", 404, "No client of this id was ever registered with this issuer.")
"""Audit: the client was never registered with this issuer."""

AHEAD_OF_LOG = ErrorKind("ahead_of_log", 400, "This is about a moment that has not come.")
"""Audit: the instant or position is beyond the head of the log."""

NOT_CAUGHT_UP = ErrorKind("not_caught_up", 503, "The history follows the log and is not there yet; try again.")
"""Audit: the projection has not reached the requested position yet."""

ARCHIVED = ErrorKind("archived", 410, "This is archived, and no longer in the log.")
"""Audit: the events are archived and no longer in the log."""

SERVER_ERROR = ErrorKind("server_error", 500, "Something went wrong here; the request id leads to the log entry.")
"""A defect. The body says no more; the request id identifies the log entry."""

TEMPORARILY_UNAVAILABLE = ErrorKind("temporarily_unavailable", 503, "The ledger cannot be reached now; try again.")
"""The database cannot be reached, or the queue of waiting writes is full."""

_OF_STATUS = {kind.status: kind for kind in (NOT_FOUND, METHOD_NOT_ALLOWED, CONTENT_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE)}
_OF_LEDGER_ERROR: dict[type[LedgerError], ErrorKind] = {
    InvalidClient: INVALID_CLIENT,
    UnauthorizedClient: UNAUTHORIZED_CLIENT,
    InvalidScope: INVALID_SCOPE,
    AheadOfLog: AHEAD_OF_LOG,
    Archived: ARCHIVED,
    NotCaughtUp: NOT_CAUGHT_UP,
}
_NOT_ALLOWED = re.compile(r"[^\x20-\x21\x23-\x5B\x5D-\x7E]")
_MAX_DESCRIPTION_CHARACTERS = 200


class RequestError(Exception):
    """A request that is answered with an error of the catalogue; `parameter` is the one at fault, where it is one."""

    def __init__(self, kind: ErrorKind, description: str | None = None, *, parameter: str | None = None) -> None:
        super().__init__(description or kind.description)
        self.kind = kind
        self.parameter = parameter


class RequestFailure(Struct, frozen=True):
    """An error on its way to be answered. `description` is fit for the caller; None where the kind's own will do."""

    kind: ErrorKind
    description: str | None
    request_id: str
    parameter: str | None = None


def error_kind_for(error: LedgerError) -> ErrorKind:
    """How the ledger's error is answered; SERVER_ERROR for one that no request should cause."""
    otherwise = TEMPORARILY_UNAVAILABLE if isinstance(error, Unavailable) else SERVER_ERROR
    return _OF_LEDGER_ERROR.get(type(error), otherwise)


def error_kind_for_status(status: int) -> ErrorKind:
    """How a status that the HTTP library decided on is answered."""
    if status in _OF_STATUS:
        return _OF_STATUS[status]
    known = INVALID_REQUEST if 400 <= status < 500 else SERVER_ERROR  # noqa: PLR2004 (the class of the status)
    return ErrorKind(known.code, status, known.description)


def error_description(text: str) -> str:
    """The text within the characters RFC 6749 §5.2 allows (%x20-21 / %x23-5B / %x5D-7E), at most 200 of them.

    Others become question marks. It echoes what a caller sent, so it goes to the caller only, never to a log.
    """
    return _NOT_ALLOWED.sub("?", text[:_MAX_DESCRIPTION_CHARACTERS])
