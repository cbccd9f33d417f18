"""One token or one client, read from its own stream: the state of a token at a moment, and the events of either."""

from datetime import datetime
from uuid import UUID

from aiohttp import web

from api.http.audit.documents import (
    ClientEventsDocument,
    TokenDocument,
    TokenEventsDocument,
    client_event_documents,
    event_document,
    token_document,
)
from api.http.audit.endpoint import AuditEndpoint, AuditRequest, audit_response, document_response
from api.http.audit.parameters import AS_OF, AS_OF_IN_FORM, CLIENT_ID_IN_PATH, JTI, MIN_POSITION, TOKEN
from api.http.errors import AHEAD_OF_LOG, ARCHIVED, NOT_CAUGHT_UP, UNKNOWN_CLIENT, UNKNOWN_TOKEN, RequestError
from api.http.operation import READ, SEND, Operation
from api.http.request_context import REQUEST_CONTEXT
from ledger.domain.recording import EventMapper
from ledger.domain.secrets import hash_token

_FROM_STREAM = "Read from its own stream: always current, without waiting for a projection."
_TOKEN_RESPONSE = audit_response("The token and its state.", TokenDocument)


class _TokenState(AuditEndpoint):
    async def _respond_with_state(
        self, jti: UUID, as_of: datetime | int | None, min_position: int = 0
    ) -> web.StreamResponse:
        """Fold a token from its own stream. The moment is resolved first, so later events are left out."""
        moment = await self._audit.moments.resolve_in_log(as_of, min_position)
        token = await self._audit.tokens.find_token(jti)
        if token is None:
            raise RequestError(UNKNOWN_TOKEN)
        return document_response(token_document(token, moment), moment.position)


class TokenStateEndpoint(_TokenState):
    """Shows the state of a token."""

    OPERATION = Operation(
        name="audit_token",
        methods=READ,
        tag="audit",
        summary="A token and its state, now or as of a moment",
        description=_FROM_STREAM,
        security="bearer",
        parameters=(JTI, AS_OF, MIN_POSITION),
        responses=(_TOKEN_RESPONSE,),
        errors=(UNKNOWN_TOKEN, AHEAD_OF_LOG, ARCHIVED),
    )

    async def _respond(self, request: AuditRequest) -> web.StreamResponse:
        values = request.values
        return await self._respond_with_state(values.required(JTI), values.get(AS_OF), request.min_position)


class TokenLookupEndpoint(_TokenState):
    """Finds a token by its value."""

    OPERATION = Operation(
        name="audit_token_lookup",
        methods=SEND,
        tag="audit",
        summary="Any token ever issued, by its value",
        description="The token is looked up by its digest, in any state. A token in the URL is rejected.",
        security="bearer",
        parameters=(TOKEN, AS_OF_IN_FORM),
        responses=(_TOKEN_RESPONSE,),
        errors=(UNKNOWN_TOKEN, AHEAD_OF_LOG, ARCHIVED, NOT_CAUGHT_UP),
    )

    async def _respond(self, request: AuditRequest) -> web.StreamResponse:
        jti = await self._audit.tokens.find_jti(hash_token(request.values.required(TOKEN)))
        if jti is None:
            raise RequestError(UNKNOWN_TOKEN)
        request.http[REQUEST_CONTEXT].log_more(found=str(jti))
        return await self._respond_with_state(jti, request.values.get(AS_OF_IN_FORM))


class TokenEventsEndpoint(AuditEndpoint):
    """Lists the events of a token."""

    OPERATION = Operation(
        name="audit_token_events",
        methods=READ,
        tag="audit",
        summary="The events of a token, in order",
        description=_FROM_STREAM,
        security="bearer",
        parameters=(JTI, MIN_POSITION),
        responses=(audit_response("Its events.", TokenEventsDocument),),
        errors=(UNKNOWN_TOKEN, AHEAD_OF_LOG, ARCHIVED),
    )

    async def _respond(self, request: AuditRequest) -> web.StreamResponse:
        jti = request.values.required(JTI)
        moment = await self._audit.moments.resolve_in_log(None, request.min_position)
        rows = await self._audit.events.read_token_events(jti)
        if not rows:
            raise RequestError(UNKNOWN_TOKEN)
        document = TokenEventsDocument(jti=jti, events=[event_document(row) for row in rows])
        return document_response(document, max(moment.position, rows[-1].position))


class ClientEventsEndpoint(AuditEndpoint):
    """Lists the events of a client."""

    OPERATION = Operation(
        name="audit_client_events",
        methods=READ,
        tag="audit",
        summary="The changes to a client, in order",
        description=_FROM_STREAM,
        security="bearer",
        parameters=(CLIENT_ID_IN_PATH, MIN_POSITION),
        responses=(audit_response("Its events, with what each changed.", ClientEventsDocument),),
        errors=(UNKNOWN_CLIENT, AHEAD_OF_LOG),
    )

    async def _respond(self, request: AuditRequest) -> web.StreamResponse:
        client_id = request.values.required(CLIENT_ID_IN_PATH)
        moment = await self._audit.moments.resolve_in_log(None, request.min_position)
        rows = await self._audit.events.read_client_events(client_id)
        if not rows:
            raise RequestError(UNKNOWN_CLIENT)
        document = ClientEventsDocument(client_id=client_id, events=client_event_documents(rows, EventMapper()))
        return document_response(document, max(moment.position, rows[-1].position))
