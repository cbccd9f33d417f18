"""One token: its state at a moment, by its jti or by itself, and its history."""

from datetime import datetime
from uuid import UUID

from aiohttp import web

from api.http.audit.documents import TokenDocument, TokenEventsDocument, event_document, token_document
from api.http.audit.endpoint import AuditEndpoint, AuditRequest, json_of
from api.http.audit.examples import TOKEN_EVENTS_EXAMPLE, TOKEN_EXAMPLE
from api.http.audit.parameters import AS_OF, AS_OF_IN_FORM, JTI, MIN_POSITION, TOKEN
from api.http.errors import AHEAD_OF_LOG, ARCHIVED, NOT_CAUGHT_UP, UNKNOWN_TOKEN, RequestError
from api.http.operation import READ, SEND, Operation, ResponseSpec
from api.http.responses import POSITION_HEADER
from ledger.domain.secrets import hash_token

_TOKEN_REPLY = ResponseSpec(
    description="The token and its state.", models=(TokenDocument,), example=TOKEN_EXAMPLE, headers=(POSITION_HEADER,)
)


class _TokenState(AuditEndpoint):
    async def _state(self, jti: UUID, as_of: datetime | int | None, min_position: int = 0) -> web.StreamResponse:
        """A token from its own stream, complete at once. The moment comes first: what is after it is left out."""
        moment = await self._issuer.audit.moments.resolve_in_log(as_of, min_position)
        token = await self._issuer.audit.tokens.find_token(jti)
        if token is None:
            raise RequestError(UNKNOWN_TOKEN)
        return json_of(token_document(token, moment), moment.position)


class TokenStateEndpoint(_TokenState):
    """Says what became of a token."""

    OPERATION = Operation(
        name="audit_token",
        methods=READ,
        tag="audit",
        summary="A token and its state, now or as of a moment",
        description="Read from the token's own stream: complete at once, nothing is waited for.",
        security="bearer",
        parameters=(JTI, AS_OF, MIN_POSITION),
        responses=(_TOKEN_REPLY,),
        errors=(UNKNOWN_TOKEN, AHEAD_OF_LOG, ARCHIVED),
    )

    async def _answer(self, asked: AuditRequest) -> web.StreamResponse:
        values = asked.values
        return await self._state(values.required(JTI), values.get(AS_OF), values.get(MIN_POSITION, 0))


class TokenLookupEndpoint(_TokenState):
    """Says what became of a token that somebody holds."""

    OPERATION = Operation(
        name="audit_token_lookup",
        methods=SEND,
        tag="audit",
        summary="Any token that was ever issued, by the token itself",
        description="It is looked up by its digest, whatever became of it. A token in the URL is refused.",
        security="bearer",
        parameters=(TOKEN, AS_OF_IN_FORM),
        responses=(_TOKEN_REPLY,),
        errors=(UNKNOWN_TOKEN, AHEAD_OF_LOG, ARCHIVED, NOT_CAUGHT_UP),
    )

    async def _answer(self, asked: AuditRequest) -> web.StreamResponse:
        jti = await self._issuer.audit.tokens.find_jti(hash_token(asked.values.required(TOKEN)))
        if jti is None:
            raise RequestError(UNKNOWN_TOKEN)
        asked.note(found=str(jti))
        return await self._state(jti, asked.values.get(AS_OF_IN_FORM))


class TokenEventsEndpoint(AuditEndpoint):
    """Gives the history of a token."""

    OPERATION = Operation(
        name="audit_token_events",
        methods=READ,
        tag="audit",
        summary="A token's events, in order",
        description="Read from the token's own stream: complete at once, nothing is waited for.",
        security="bearer",
        parameters=(JTI, MIN_POSITION),
        responses=(
            ResponseSpec(
                description="Its events.",
                models=(TokenEventsDocument,),
                example=TOKEN_EVENTS_EXAMPLE,
                headers=(POSITION_HEADER,),
            ),
        ),
        errors=(UNKNOWN_TOKEN, AHEAD_OF_LOG, ARCHIVED),
    )

    async def _answer(self, asked: AuditRequest) -> web.StreamResponse:
        jti = asked.values.required(JTI)
        moment = await self._issuer.audit.moments.resolve_in_log(None, asked.values.get(MIN_POSITION, 0))
        rows = await self._issuer.audit.events.read_token_events(jti)
        if not rows:
            raise RequestError(UNKNOWN_TOKEN)
        document = TokenEventsDocument(jti=jti, events=[event_document(row) for row in rows])
        return json_of(document, max(moment.position, rows[-1].position))
