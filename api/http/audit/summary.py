"""Counts over time: tokens issued, revoked and active."""

from aiohttp import web

from api.http.audit.documents import SummaryDocument, summary_document
from api.http.audit.endpoint import AuditEndpoint, AuditRequest, audit_response, document_response
from api.http.audit.parameters import (
    BUCKET,
    CLIENT_ID,
    DEFAULT_LIMIT,
    LIMIT,
    MIN_POSITION,
    WINDOW_SINCE,
    WINDOW_UNTIL,
)
from api.http.audit.window import InvalidWindow, activity_query
from api.http.errors import AHEAD_OF_LOG, INVALID_REQUEST, NOT_CAUGHT_UP, RequestError
from api.http.operation import READ, Operation


class SummaryEndpoint(AuditEndpoint):
    """Counts issuances, revocations and active tokens."""

    OPERATION = Operation(
        name="audit_summary",
        methods=READ,
        tag="audit",
        summary="Issued, revoked and active tokens over time and per client",
        description="At most 1000 buckets. `limit` applies to clients; those with the most issued tokens come first.",
        security="bearer",
        parameters=(WINDOW_SINCE, WINDOW_UNTIL, BUCKET, CLIENT_ID, LIMIT, MIN_POSITION),
        responses=(audit_response("The counts.", SummaryDocument),),
        errors=(AHEAD_OF_LOG, NOT_CAUGHT_UP),
    )

    async def _respond(self, request: AuditRequest) -> web.StreamResponse:
        values = request.values
        bucket = values.get(BUCKET) or "hour"
        try:
            query = activity_query(
                since=values.get(WINDOW_SINCE),
                until=values.get(WINDOW_UNTIL),
                bucket=bucket,
                client_id=values.get(CLIENT_ID),
                now=(await self._audit.moments.resolve_in_log()).instant,
            )
        except InvalidWindow as error:
            raise RequestError(INVALID_REQUEST, str(error), parameter=error.parameter) from None
        summary = await self._audit.activity.summarize(
            query, clients=values.get(LIMIT) or DEFAULT_LIMIT, min_position=request.min_position
        )
        document = summary_document(summary, since=query.since, until=query.until, bucket=bucket)
        return document_response(document, summary.position)
