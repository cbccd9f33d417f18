"""Listing tokens, page by page, all as of one moment."""

from datetime import datetime

from aiohttp import web

from api.http.audit.cursor import Cursor, InvalidCursor, listing_of, read_cursor, write_cursor
from api.http.audit.documents import TokenPageDocument, token_document
from api.http.audit.endpoint import AuditEndpoint, AuditRequest, json_of
from api.http.audit.examples import TOKEN_PAGE_EXAMPLE
from api.http.audit.parameters import (
    AS_OF,
    CLIENT_ID,
    CURSOR,
    DEFAULT_LIMIT,
    ISSUED_AFTER,
    ISSUED_BEFORE,
    LIMIT,
    MIN_POSITION,
    SCOPE,
    STATUS,
    SUBJECT,
)
from api.http.errors import AHEAD_OF_LOG, ARCHIVED, INVALID_REQUEST, NOT_CAUGHT_UP, RequestError
from api.http.operation import READ, Operation, ResponseSpec
from api.http.parameters import Values
from api.http.responses import POSITION_HEADER
from ledger.domain.token_record import Moment
from ledger.use_cases.audit import AheadOfLog, TokenQuery

NOT_OF_THIS_LOG = "lies ahead of the log"


class TokenListEndpoint(AuditEndpoint):
    """Finds tokens."""

    OPERATION = Operation(
        name="audit_tokens",
        methods=READ,
        tag="audit",
        summary="Tokens, newest first, now or as of a moment",
        description=(
            "Every page of a listing is of the moment of its first page, however much is recorded in between. A page "
            "may hold fewer tokens than `limit`, or none, and not be the last: go on while `next` is there."
        ),
        security="bearer",
        parameters=(
            CLIENT_ID,
            SUBJECT,
            SCOPE,
            STATUS,
            ISSUED_AFTER,
            ISSUED_BEFORE,
            AS_OF,
            MIN_POSITION,
            CURSOR,
            LIMIT,
        ),
        responses=(
            ResponseSpec(
                description="A page of tokens.",
                models=(TokenPageDocument,),
                example=TOKEN_PAGE_EXAMPLE,
                headers=(POSITION_HEADER,),
            ),
        ),
        errors=(AHEAD_OF_LOG, ARCHIVED, NOT_CAUGHT_UP),
    )

    async def _answer(self, asked: AuditRequest) -> web.StreamResponse:
        values = asked.values
        query = _query(values)
        listing = listing_of(self._issuer.identifier.log_name, query)
        moment, before = await self._place(values, listing)
        page = await self._issuer.audit.tokens.find_tokens(
            query, moment, before=before, limit=values.get(LIMIT, DEFAULT_LIMIT)
        )
        document = TokenPageDocument(
            tokens=[token_document(token, moment) for token in page.tokens],
            as_of=moment,
            next=None if page.before is None else write_cursor(listing, moment, page.before),
        )
        return json_of(document, moment.position)

    async def _place(self, values: Values, listing: str) -> tuple[Moment, int | None]:
        """The moment of the listing, and where its page begins."""
        text = values.get(CURSOR)
        if text is None:
            return await self._moment(values.get(AS_OF), values), None
        cursor = _read(text, listing, values.get(AS_OF))
        try:  # another process may not have come so far yet
            await self._moment(cursor.position, values)
        except AheadOfLog as error:
            if cursor.position < values.get(MIN_POSITION, 0):
                raise
            raise _at_fault(NOT_OF_THIS_LOG) from error
        return cursor.moment, cursor.before

    async def _moment(self, as_of: datetime | int | None, values: Values) -> Moment:
        return await self._issuer.audit.moments.resolve(as_of, values.get(MIN_POSITION, 0))


def _query(values: Values) -> TokenQuery:
    return TokenQuery(
        client_id=values.get(CLIENT_ID),
        subject=values.get(SUBJECT),
        scope=values.get(SCOPE),
        status=values.get(STATUS),
        issued_after=values.get(ISSUED_AFTER),
        issued_before=values.get(ISSUED_BEFORE),
    )


def _read(text: str, listing: str, as_of: datetime | int | None) -> Cursor:
    try:
        return read_cursor(text, listing, as_of)
    except InvalidCursor as error:
        raise _at_fault(str(error)) from None


def _at_fault(what: str) -> RequestError:
    return RequestError(INVALID_REQUEST, f"{CURSOR.name}: {what}", parameter=CURSOR.name)
