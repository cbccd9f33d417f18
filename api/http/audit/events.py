"""Events of the whole log: a page as a document, or all of them as lines of JSON."""

from aiohttp import hdrs, web

from api.http.audit.documents import EventDocument, EventPageDocument, event_document
from api.http.audit.endpoint import AuditEndpoint, AuditRequest, json_of
from api.http.audit.examples import EVENT_EXAMPLE, EVENT_PAGE_EXAMPLE
from api.http.audit.export import MEDIA_TYPE, export, wants_export
from api.http.audit.parameters import (
    ACTOR,
    AFTER,
    CLIENT_ID,
    DEFAULT_LIMIT,
    LIMIT,
    MIN_POSITION,
    SINCE,
    SUBJECT,
    TYPE,
    UNTIL,
)
from api.http.errors import AHEAD_OF_LOG, ARCHIVED, INVALID_REQUEST, NOT_CAUGHT_UP, RequestError
from api.http.operation import READ, Operation, ResponseSpec
from api.http.responses import POSITION_HEADER
from ledger.use_cases.audit import EventQuery


class EventsEndpoint(AuditEndpoint):
    """Gives events."""

    OPERATION = Operation(
        name="audit_events",
        methods=READ,
        tag="audit",
        summary="Events, in the order of the log",
        description=(
            f"With `Accept: {MEDIA_TYPE}` all from `after` to the end of the log at the time of the request, "
            "one a line, however many; `limit` is not for that. One that is broken off ends without its last chunk."
        ),
        security="bearer",
        parameters=(TYPE, CLIENT_ID, SUBJECT, ACTOR, SINCE, UNTIL, AFTER, MIN_POSITION, LIMIT),
        responses=(
            ResponseSpec(
                description="A page of events.",
                models=(EventPageDocument,),
                example=EVENT_PAGE_EXAMPLE,
                headers=(POSITION_HEADER,),
            ),
            ResponseSpec(
                description="All events, one a line.",
                media_type=MEDIA_TYPE,
                models=(EventDocument,),
                example=EVENT_EXAMPLE,
                headers=(POSITION_HEADER,),
            ),
        ),
        errors=(AHEAD_OF_LOG, ARCHIVED, NOT_CAUGHT_UP),
    )

    async def _answer(self, asked: AuditRequest) -> web.StreamResponse:
        values = asked.values
        query = EventQuery(
            types=values.get(TYPE, ()),
            client_id=values.get(CLIENT_ID),
            subject=values.get(SUBJECT),
            actor=values.get(ACTOR),
            since=values.get(SINCE),
            until=values.get(UNTIL),
        )
        audit = self._issuer.audit
        after, min_position = values.get(AFTER, 0), values.get(MIN_POSITION, 0)
        if wants_export(asked.request.headers.get(hdrs.ACCEPT, "")):
            if values.get(LIMIT) is not None:
                raise RequestError(INVALID_REQUEST, f"{LIMIT.name}: an export has none", parameter=LIMIT.name)
            return await export(asked.request, audit, asked.bearer, query, after=after, min_position=min_position)
        limit = values.get(LIMIT, DEFAULT_LIMIT)
        page = await audit.events.find_events(query, after=after, limit=limit, min_position=min_position)
        document = EventPageDocument(
            events=[event_document(row) for row in page.events],
            position=page.position,
            next=None if page.ended else page.position,
        )
        return json_of(document, page.position)
