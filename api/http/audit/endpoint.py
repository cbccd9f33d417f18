"""What the audit endpoints have in common: who asks is known, what is asked is read strictly, and both are logged."""

from datetime import datetime
from typing import ClassVar

from aiohttp import hdrs, web
from msgspec import Struct

from api.http.audit.bearer import Bearer, authenticate, refuse_tokens_in_url
from api.http.audit.parameters import AS_OF, MIN_POSITION
from api.http.errors import AHEAD_OF_LOG, ARCHIVED, RequestError
from api.http.form import Form, parse_query, read_form
from api.http.operation import Operation
from api.http.parameters import Values, loggable, parse_values
from api.http.request_context import REQUEST_CONTEXT
from api.http.responses import encode_json, json_response
from ledger.domain.errors import Archived
from ledger.use_cases.audit import AheadOfLog
from ledger.use_cases.issuer import Issuer


class AuditRequest(Struct, frozen=True):
    """An audit request that may be answered."""

    request: web.Request
    values: Values
    bearer: Bearer

    def note(self, **more: str) -> None:
        """Have the log line of the request say more."""
        context = self.request[REQUEST_CONTEXT]
        context.more = {**(context.more or {}), **more}


class AuditEndpoint:
    """An endpoint of one issuer for auditors.

    A request is read in this order, and the first thing wrong with it is what is answered: a token in the URL, the
    access token (RFC 6750), the form where there is one, then the parameters.
    """

    OPERATION: ClassVar[Operation]

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request. Raises RequestError, or what the audit trail raises."""
        query = parse_query(request.raw_path.partition("?")[2])
        refuse_tokens_in_url(query)
        context = request[REQUEST_CONTEXT]
        bearer = await authenticate(self._issuer.introspection, request.headers.getall(hdrs.AUTHORIZATION, ()))
        context.client_id = bearer.client_id
        given = await self._given(request, query)
        declared = self.OPERATION.parameters
        context.more = {"jti": str(bearer.jti), "filter": loggable(declared, given)}
        values = parse_values(declared, given)
        try:
            return await self._answer(AuditRequest(request, values, bearer))
        except AheadOfLog as error:
            raise RequestError(AHEAD_OF_LOG, str(error), parameter=self._ahead(values, error)) from error
        except Archived as error:
            raise RequestError(ARCHIVED, str(error)) from error

    async def _answer(self, asked: AuditRequest) -> web.StreamResponse:
        raise NotImplementedError

    def _ahead(self, values: Values, error: AheadOfLog) -> str:
        """The parameter that names a moment that has not come."""
        as_of, min_position = values.get(AS_OF), values.get(MIN_POSITION, 0)
        if isinstance(as_of, int):
            return AS_OF.name if as_of >= min_position else MIN_POSITION.name
        if isinstance(as_of, datetime) and str(error).startswith(AS_OF.name):
            return AS_OF.name
        return MIN_POSITION.name

    async def _given(self, request: web.Request, query: Form) -> Form:
        """What the request carries, by name, of whatever place. Raises RequestError."""
        operation = self.OPERATION
        if operation.parameters_in("form"):
            # Nothing is read from the query of such a request, so that nothing is passed over in silence there either.
            parse_values((), query)
            query = await read_form(request)
        for parameter in operation.parameters_in("path"):
            _place_apart(query, parameter.name)
            query[parameter.name] = request.match_info[parameter.name]
        for parameter in operation.parameters_in("header"):
            _place_apart(query, parameter.name)
            if parameter.name in request.headers:
                query[parameter.name] = ",".join(request.headers.getall(parameter.name))
        return query


def _place_apart(query: Form, name: str) -> None:
    """What belongs into the path or a header is not known in a query."""
    if name in query:
        parse_values((), {name: query[name]})


def json_of(document: object, position: int | None = None) -> web.StreamResponse:
    """A document as an answer; `position` is what of the log it reflects."""
    return json_response(encode_json(document), position=position)
