"""What the audit endpoints share: the bearer token, strict parameters, and a log line that says what was requested.

Auditors authenticate by an access token of the same issuer, in the Authorization header only (RFC 6750 §2.1).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from aiohttp import hdrs, web
from msgspec import Struct

from api.http.audit.parameters import AS_OF, MIN_POSITION
from api.http.audit.problems import AUDIT_SCOPE
from api.http.errors import (
    AHEAD_OF_LOG,
    ARCHIVED,
    INSUFFICIENT_SCOPE,
    INVALID_REQUEST,
    INVALID_TOKEN,
    NOT_AUTHENTICATED,
    RequestError,
)
from api.http.form import Form, parse_query, read_form
from api.http.operation import Operation, ResponseSpec, Values, loggable, parse_values
from api.http.request_context import REQUEST_CONTEXT
from api.http.responses import POSITION_HEADER, encode_json, json_response
from ledger.domain.errors import Archived
from ledger.use_cases.audit import AheadOfLog, InstantInFuture
from ledger.use_cases.introspection import TokenIntrospection
from ledger.use_cases.issuer import Issuer
from ledger.use_cases.ports import ActiveToken

TOKEN_PARAMETERS = ("access_token", "token")
"""Query parameters that may carry a token by mistake (RFC 6750 §5.3)."""

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")


class Bearer:
    """An authenticated auditor."""

    def __init__(self, introspection: TokenIntrospection, token: str, found: ActiveToken) -> None:
        self._introspection = introspection
        self._token = token
        self.client_id = found.client_id
        self.jti = found.jti

    async def is_still_active(self) -> bool:
        """Whether the token is still active; long responses check it repeatedly. Raises Unavailable."""
        return await self._introspection.find_active_token(self._token) is not None


class AuditRequest(Struct, frozen=True):
    """An authenticated audit request with its parsed parameters."""

    http: web.Request
    values: Values
    bearer: Bearer

    @property
    def min_position(self) -> int:
        """The position that the response must include; 0 if omitted."""
        return self.values.get(MIN_POSITION) or 0


class AuditEndpoint:
    """An endpoint of one issuer for auditors.

    Requests are checked in this order, and the first problem determines the response: a token in the URL, the access
    token (RFC 6750), the form if there is one, then the parameters.
    """

    OPERATION: ClassVar[Operation]

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer
        self._audit = issuer.audit

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Handle a request. Raises RequestError, or what the audit trail raises."""
        query = parse_query(request.raw_path.partition("?")[2])
        reject_tokens_in_url(query)
        bearer = await authenticate(self._issuer.introspection, request.headers.getall(hdrs.AUTHORIZATION, ()))
        context = request[REQUEST_CONTEXT]
        context.client_id = bearer.client_id
        given = await self._collect_parameters(request, query)
        declared = self.OPERATION.parameters
        context.log_more(jti=str(bearer.jti), filter=loggable(declared, given))
        values = parse_values(declared, given)
        try:
            return await self._respond(AuditRequest(request, values, bearer))
        except AheadOfLog as error:
            raise RequestError(AHEAD_OF_LOG, str(error), parameter=self._parameter_ahead(values, error)) from error
        except Archived as error:
            raise RequestError(ARCHIVED, str(error)) from error

    async def _respond(self, request: AuditRequest) -> web.StreamResponse:
        raise NotImplementedError

    def _parameter_ahead(self, values: Values, error: AheadOfLog) -> str:
        """The name of the parameter that is beyond the head of the log."""
        as_of = values.get(AS_OF)
        min_position = values.get(MIN_POSITION) or 0
        if isinstance(error, InstantInFuture) or (isinstance(as_of, int) and as_of >= min_position):
            return AS_OF.name
        return MIN_POSITION.name

    async def _collect_parameters(self, request: web.Request, query: Form) -> Form:
        """Collect the parameters of the query or form, the path and the headers. Raises RequestError."""
        operation = self.OPERATION
        if operation.parameters_in("form"):
            parse_values((), query)  # a request with a form has no query parameters
            query = await read_form(request)
        for parameter in operation.parameters_in("path", "header"):
            name = parameter.name
            if name in query:
                parse_values((), {name: query[name]})  # it is unknown in a query
            if parameter.location == "path":
                query[name] = request.match_info[name]
            elif name in request.headers:
                query[name] = ",".join(request.headers.getall(name))
        return query


def audit_response(description: str, model: Any, **more: Any) -> ResponseSpec:
    """Declare a response with a position."""
    return ResponseSpec(description=description, models=(model,), headers=(POSITION_HEADER,), **more)


def document_response(document: object, position: int) -> web.StreamResponse:
    """A document that reflects the log up to a position."""
    return json_response(encode_json(document), position=position)


def reject_tokens_in_url(query: Mapping[str, str]) -> None:
    """Raise RequestError (400) for a token in the URL: proxies, browsers and logs keep URLs."""
    for name in TOKEN_PARAMETERS:
        if name in query:
            message = "A token must never be sent in a URL. If this one is real, revoke it."
            raise RequestError(INVALID_REQUEST, message, parameter=name)


async def authenticate(introspection: TokenIntrospection, authorization: Sequence[str]) -> Bearer:
    """Authenticate an active token with the scope audit.read.

    Raises RequestError (RFC 6750 §3.1) or Unavailable.
    """
    token = _read_token(authorization)
    found = await introspection.find_active_token(token)
    if found is None:
        raise RequestError(INVALID_TOKEN)
    if AUDIT_SCOPE not in found.scope.split(" "):
        raise RequestError(INSUFFICIENT_SCOPE, f"The access token lacks the scope {AUDIT_SCOPE}.")
    return Bearer(introspection, token, found)


def _read_token(authorization: Sequence[str]) -> str:
    if len(authorization) > 1:
        raise RequestError(INVALID_REQUEST, "The Authorization header is repeated.")
    scheme, _, token = authorization[0].partition(" ") if authorization else ("", "", "")
    if scheme.lower() != "bearer":
        raise RequestError(NOT_AUTHENTICATED)
    token = token.strip(" ")
    if _TOKEN.fullmatch(token) is None:
        raise RequestError(INVALID_REQUEST, "The Authorization header is malformed (RFC 6750 2.1).")
    return token
