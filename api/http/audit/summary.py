"""What happened over time, counted."""

from aiohttp import web

from api.http.audit.documents import SummaryDocument, summary_document
from api.http.audit.endpoint import AuditEndpoint, AuditRequest, json_of
from api.http.audit.examples import SUMMARY_EXAMPLE
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
from api.http.operation import READ, Operation, ResponseSpec
from api.http.responses import POSITION_HEADER


class SummaryEndpoint(AuditEndpoint):
    """Counts issuances, revocations and active tokens."""

    OPERATION = Operation(
        name="audit_summary",
        methods=READ,
        tag="audit",
        summary="Issued, revoked and active over time, and per client",
        description="At most 1000 buckets. `limit` is of clients, most issued first.",
        security="bearer",
        parameters=(WINDOW_SINCE, WINDOW_UNTIL, BUCKET, CLIENT_ID, LIMIT, MIN_POSITION),
        responses=(
            ResponseSpec(
                description="The counts.",
                models=(SummaryDocument,),
                example=SUMMARY_EXAMPLE,
                headers=(POSITION_HEADER,),
            ),
        ),
        errors=(AHEAD_OF_LOG, NOT_CAUGHT_UP),
    )

    async def _answer(self, asked: AuditRequest) -> web.StreamResponse:
        values = asked.values
        audit = self._issuer.audit
        bucket = values.get(BUCKET, "hour")
        try:
            query = activity_query(
                since=values.get(WINDOW_SINCE),
                until=values.get(WINDOW_UNTIL),
                bucket=bucket,
                client_id=values.get(CLIENT_ID),
                now=(await audit.moments.resolve_in_log()).instant,
            )
        except InvalidWindow as error:
            raise RequestError(INVALID_REQUEST, str(error), parameter=error.parameter) from None
        summary = await audit.activity.summarize(
            query, clients=values.get(LIMIT, DEFAULT_LIMIT), min_position=values.get(MIN_POSITION, 0)
        )
        document = summary_document(summary, since=query.since, until=query.until, bucket=bucket)
        return json_of(document, summary.position)
