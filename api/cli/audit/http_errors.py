"""What an answer of a service comes to when it is none: one message, with the same exit codes as over the database.

Problem details (RFC 9457) and OAuth errors (RFC 6749 §5.2) are quoted; of other bodies nothing is.
"""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from msgspec import Struct

from api.cli.audit.credentials import CLIENT_ID, TOKEN
from api.operations.errors import OperationError
from ledger.domain.errors import Archived, LedgerError, Unavailable

TOO_MANY_REQUESTS = 429


class TokenRefused(OperationError):
    """The bearer token is not accepted, and another could be."""


class Problem(Struct, frozen=True):
    """The members of both kinds of error that say something to a person."""

    title: str = ""
    detail: str = ""
    parameter: str | None = None
    error: str = ""
    error_description: str = ""

    @property
    def text(self) -> str:
        """What it says, with the parameter that it is about."""
        said = self.detail or self.title or self.error_description or self.error
        return f"{self.parameter}: {said}" if self.parameter and not said.startswith(self.parameter) else said


def failure(issuer: str, status: int, headers: Mapping[str, str], body: bytes) -> OperationError | LedgerError:
    """The error that an answer to an audit question stands for."""
    if status == HTTPStatus.GONE:
        return Archived(problem_of(body).text or f"{issuer} has archived this")
    return _failure(issuer, status, headers, body)


def _failure(issuer: str, status: int, headers: Mapping[str, str], body: bytes) -> OperationError | LedgerError:
    said = problem_of(body).text
    details = f": {said}" if said else ""
    match status:
        case HTTPStatus.UNAUTHORIZED:
            return TokenRefused(f"{issuer} does not accept the token: it is expired, revoked, or not of this issuer")
        case HTTPStatus.FORBIDDEN:
            return OperationError(f"{issuer} refuses this token, it needs the scope audit.read{details}")
        case HTTPStatus.NOT_FOUND if not said:
            return OperationError(f"{issuer} has no such answer: is this the URL of an issuer, and of this release?")
        case HTTPStatus.NOT_FOUND | HTTPStatus.BAD_REQUEST:
            return OperationError(said or f"{issuer} does not understand the question ({status})")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == TOO_MANY_REQUESTS:
        return Unavailable(f"{issuer} cannot answer now ({status}){details}{_again(headers)}")
    return OperationError(f"{issuer} answered {status}, which is no answer to an audit question{details}")


def token_failure(issuer: str, client_id: str, status: int, headers: Mapping[str, str], body: bytes) -> Exception:
    """The error that an answer of the token endpoint stands for."""
    problem = problem_of(body)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == TOO_MANY_REQUESTS:
        return failure(issuer, status, headers, body)
    if problem.error == "invalid_client":
        return OperationError(f"{issuer} does not know client {client_id!r} with this secret: check {CLIENT_ID}")
    if problem.error == "invalid_scope":
        return OperationError(f"{issuer} gives client {client_id!r} no token with scope audit.read: {problem.text}")
    if problem.error:
        return OperationError(f"{issuer} gives client {client_id!r} no token: {problem.text}")
    return OperationError(f"{issuer} has no token endpoint ({status}): is this the URL of an issuer? Or give {TOKEN}")


def problem_of(body: bytes) -> Problem:
    """The problem or OAuth error in a body; an empty one when there is none."""
    try:
        return msgspec.json.decode(body, type=Problem)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Problem()


def _again(headers: Mapping[str, str]) -> str:
    seconds = headers.get("Retry-After", "")
    return f"; try again in {seconds} s" if seconds.isdecimal() else ""
