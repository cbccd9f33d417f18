"""One client: who changed it, when, from what to what."""

from aiohttp import web

from api.http.audit.documents import ClientEventsDocument, client_event_documents
from api.http.audit.endpoint import AuditEndpoint, AuditRequest, json_of
from api.http.audit.examples import CLIENT_EVENTS_EXAMPLE
from api.http.audit.parameters import CLIENT_ID_IN_PATH, MIN_POSITION
from api.http.errors import AHEAD_OF_LOG, UNKNOWN_CLIENT, RequestError
from api.http.operation import READ, Operation, ResponseSpec
from api.http.responses import POSITION_HEADER
from ledger.domain.recording import EventMapper

_MAPPER = EventMapper()


class ClientEventsEndpoint(AuditEndpoint):
    """Gives the history of a client's registration."""

    OPERATION = Operation(
        name="audit_client_events",
        methods=READ,
        tag="audit",
        summary="The changes to a client, in order",
        description="Read from the client's own stream: complete at once, nothing is waited for.",
        security="bearer",
        parameters=(CLIENT_ID_IN_PATH, MIN_POSITION),
        responses=(
            ResponseSpec(
                description="Its events, with what each changed.",
                models=(ClientEventsDocument,),
                example=CLIENT_EVENTS_EXAMPLE,
                headers=(POSITION_HEADER,),
            ),
        ),
        errors=(UNKNOWN_CLIENT, AHEAD_OF_LOG),
    )

    async def _answer(self, asked: AuditRequest) -> web.StreamResponse:
        client_id = asked.values.required(CLIENT_ID_IN_PATH)
        moment = await self._issuer.audit.moments.resolve_in_log(None, asked.values.get(MIN_POSITION, 0))
        rows = await self._issuer.audit.events.read_client_events(client_id)
        if not rows:
            raise RequestError(UNKNOWN_CLIENT)
        document = ClientEventsDocument(client_id=client_id, events=client_event_documents(rows, _MAPPER))
        return json_of(document, max(moment.position, rows[-1].position))
