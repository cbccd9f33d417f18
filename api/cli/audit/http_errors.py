"""Map error responses of a service to errors with the same exit codes as over the database.

Messages quote problem details (RFC 9457) and OAuth errors (RFC 6749 §5.2), and no other body.
"""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from msgspec import Struct

from api.cli.audit.credentials import CLIENT_ID, TOKEN
from api.operations.errors import OperationError
from ledger.domain.errors import Archived, LedgerError, Unavailable


class TokenRefused(OperationError):
    """The service refused the bearer token; a new one may be accepted."""


class ErrorBody(Struct, frozen=True):
    """The members of problem details and OAuth errors that are fit for display."""

    title: str = ""
    detail: str = ""
    parameter: str | None = None
    error: str = ""
    error_description: str = ""

    @property
    def text(self) -> str:
        """The most specific message, with the parameter it concerns."""
        text = self.detail or self.title or self.error_description or self.error
        return f"{self.parameter}: {text}" if self.parameter and not text.startswith(self.parameter) else text


def explain_failure(issuer: str, status: int, headers: Mapping[str, str], body: bytes) -> OperationError | LedgerError:
    """Map an error response of an audit endpoint to an error."""
    text = _decode(body).text
    details = f": {text}" if text else ""
    match status:
        case HTTPStatus.GONE:
            return Archived(text or f"{issuer} has archived this")
        case HTTPStatus.UNAUTHORIZED:
            return TokenRefused(f"{issuer} does not accept the token: it is expired, revoked, or not of this issuer")
        case HTTPStatus.FORBIDDEN:
            return OperationError(f"{issuer} refuses this token, it needs the scope audit.read{details}")
        case HTTPStatus.NOT_FOUND | HTTPStatus.BAD_REQUEST:
            return OperationError(text or f"{issuer} refuses the request ({status}): check that it is an issuer's URL")
    if _is_temporary(status):
        return Unavailable(f"{issuer} is unavailable ({status}){details}{_format_retry(headers)}")
    return OperationError(f"{issuer} sent an unexpected response ({status}){details}")


def explain_token_failure(
    issuer: str, client_id: str, status: int, headers: Mapping[str, str], body: bytes
) -> OperationError | LedgerError:
    """Map an error response of the token endpoint to an error."""
    if _is_temporary(status):
        return explain_failure(issuer, status, headers, body)
    problem = _decode(body)
    if problem.error == "invalid_client":
        return OperationError(f"{issuer} does not accept client {client_id!r} with this secret: check {CLIENT_ID}")
    if problem.error == "invalid_scope":
        return OperationError(f"{issuer} grants client {client_id!r} no token with scope audit.read: {problem.text}")
    if problem.error:
        return OperationError(f"{issuer} grants client {client_id!r} no token: {problem.text}")
    return OperationError(
        f"{issuer} has no token endpoint ({status}): check that this is the URL of an issuer, or give {TOKEN}"
    )


def _is_temporary(status: int) -> bool:
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS


def _decode(body: bytes) -> ErrorBody:
    try:
        return msgspec.json.decode(body, type=ErrorBody)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ErrorBody()


def _format_retry(headers: Mapping[str, str]) -> str:
    seconds = headers.get("Retry-After", "")
    return f"; retry in {seconds} s" if seconds.isdecimal() else ""
