"""List tokens page by page. The cursor carries the moment of the first page, so all pages show the same moment."""

import binascii
import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime

import msgspec
from aiohttp import web

from api.http.audit.documents import TokenPageDocument, token_document
from api.http.audit.endpoint import AuditEndpoint, AuditRequest, audit_response, document_response
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
from api.http.errors import AHEAD_OF_LOG, ARCHIVED, NOT_CAUGHT_UP
from api.http.operation import READ, Operation, Values, parameter_error
from ledger.domain.events import Instant
from ledger.domain.token_record import Moment
from ledger.use_cases.audit import AheadOfLog, TokenQuery

FINGERPRINT_BYTES = 9

BEYOND_HEAD = "is beyond the head of the log"
NOT_A_CURSOR = "is not the `next` of a page"
OTHER_LIST = "belongs to a list with other filters; repeat the filters of its first page"


class Cursor(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The moment of the list, the position before which the page begins, and the fingerprint of the list."""

    position: int
    instant: Instant
    before: int
    fingerprint: str

    @property
    def moment(self) -> Moment:
        """The moment that every page of the list shows."""
        return Moment(self.position, self.instant)


_decode = msgspec.json.Decoder(Cursor).decode
_encode = msgspec.json.Encoder().encode


class TokenListEndpoint(AuditEndpoint):
    """Lists tokens."""

    OPERATION = Operation(
        name="audit_tokens",
        methods=READ,
        tag="audit",
        summary="Tokens, newest first, now or as of a moment",
        description=(
            "Every page shows the moment of the first page, whatever is recorded meanwhile. A page may have fewer "
            "tokens than `limit`, or none, and not be the last: continue while `next` is set."
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
        responses=(audit_response("A page of tokens.", TokenPageDocument),),
        errors=(AHEAD_OF_LOG, ARCHIVED, NOT_CAUGHT_UP),
    )

    async def _respond(self, request: AuditRequest) -> web.StreamResponse:
        values = request.values
        query = TokenQuery(
            client_id=values.get(CLIENT_ID),
            subject=values.get(SUBJECT),
            scope=values.get(SCOPE),
            status=values.get(STATUS),
            issued_after=values.get(ISSUED_AFTER),
            issued_before=values.get(ISSUED_BEFORE),
        )
        fingerprint = _fingerprint(self._issuer.identifier.log_name, query)
        moment, before = await self._resolve_page(values, fingerprint)
        page = await self._audit.tokens.find_tokens(
            query, moment, before=before, limit=values.get(LIMIT) or DEFAULT_LIMIT
        )
        document = TokenPageDocument(
            tokens=[token_document(token, moment) for token in page.tokens],
            as_of=moment,
            next=None if page.before is None else _write_cursor(moment, page.before, fingerprint),
        )
        return document_response(document, moment.position)

    async def _resolve_page(self, values: Values, fingerprint: str) -> tuple[Moment, int | None]:
        """The moment of the list, and the position before which its page begins."""
        as_of, min_position, text = values.get(AS_OF), values.get(MIN_POSITION) or 0, values.get(CURSOR)
        if text is None:
            return await self._audit.moments.resolve(as_of, min_position), None
        cursor = _read_cursor(text, fingerprint, as_of)
        try:  # the projection of this process may lag behind the one that wrote the cursor
            await self._audit.moments.resolve(cursor.position, min_position)
        except AheadOfLog as error:
            if cursor.position < min_position:
                raise
            raise parameter_error(CURSOR.name, BEYOND_HEAD) from error
        return cursor.moment, cursor.before


def _fingerprint(issuer: str, query: TokenQuery) -> str:
    """Identify a list by its issuer and filters."""
    return urlsafe_b64encode(hashlib.sha256(_encode((issuer, query))).digest()[:FINGERPRINT_BYTES]).decode()


def _write_cursor(moment: Moment, before: int, fingerprint: str) -> str:
    cursor = Cursor(moment.position, moment.instant, before, fingerprint)
    return urlsafe_b64encode(_encode(cursor)).rstrip(b"=").decode()


def _read_cursor(text: str, fingerprint: str, as_of: datetime | int | None) -> Cursor:
    """Read a cursor of this list, and of the moment `as_of` if given. Raises RequestError."""
    try:
        cursor = _decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise parameter_error(CURSOR.name, NOT_A_CURSOR) from error
    if cursor.fingerprint != fingerprint or as_of not in {None, cursor.position, cursor.instant}:
        raise parameter_error(CURSOR.name, OTHER_LIST)
    if not 0 < cursor.before <= cursor.position:
        raise parameter_error(CURSOR.name, NOT_A_CURSOR)
    return cursor
