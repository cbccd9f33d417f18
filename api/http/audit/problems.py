"""Errors of the audit endpoints: problem details (RFC 9457) and Bearer challenges (RFC 6750)."""

from http import HTTPStatus

from aiohttp import hdrs
from msgspec import UNSET, Struct, UnsetType

from api.http.errors import (
    INSUFFICIENT_SCOPE,
    INVALID_TOKEN,
    NOT_AUTHENTICATED,
    RequestError,
    error_description,
)
from api.http.instrumented_endpoint import ErrorRenderer
from api.http.responses import PROBLEM_HEADERS, RawResponse, encode_json, with_retry_after

AUDIT_SCOPE = "audit.read"
MEDIA_TYPE = "application/problem+json"
TYPE = "urn:token-ledger:problem:"


class ProblemDocument(Struct, frozen=True, kw_only=True):
    """What went wrong. `parameter` is the parameter at fault, `request_id` identifies the log line."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    parameter: str | UnsetType = UNSET


def problem_renderer(realm: str) -> ErrorRenderer:
    """Render errors as problem details, with a Bearer challenge where one applies. `realm` is a quoted-string."""

    def render(error: RequestError, request_id: str) -> RawResponse:
        kind = error.kind
        response = RawResponse(PROBLEM_HEADERS, encode_json(problem_document(error, request_id)), kind.status)
        if kind in _CHALLENGES:
            response.headers[hdrs.WWW_AUTHENTICATE] = f"Bearer realm={realm}{_CHALLENGES[kind]}"
        return with_retry_after(response)

    return render


def problem_document(error: RequestError, request_id: str) -> ProblemDocument:
    """Describe an error as problem details."""
    return ProblemDocument(
        type=TYPE + error.kind.code,
        title=HTTPStatus(error.kind.status).phrase,
        status=error.kind.status,
        detail=error_description(str(error)),
        request_id=request_id,
        parameter=UNSET if error.parameter is None else error.parameter,
    )


_CHALLENGES = {
    NOT_AUTHENTICATED: "",
    INVALID_TOKEN: f', error="{INVALID_TOKEN.code}", error_description="{INVALID_TOKEN.description}"',
    INSUFFICIENT_SCOPE: f', error="{INSUFFICIENT_SCOPE.code}", error_description="{INSUFFICIENT_SCOPE.description}"'
    f', scope="{AUDIT_SCOPE}"',
}
"""Challenge parameters after the realm (RFC 6750 §3). A request without a token gets no error code (§3.1)."""
