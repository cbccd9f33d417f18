"""The history of a client: who changed it, when, from what to what."""

from aiohttp import web

from api.http.audit.documents import ClientEventsDocument, client_event_documents
from api.http.audit.endpoint import AuditEndpoint, AuditRequest, audit_response, document_response
from api.http.audit.examples import CLIENT_EVENTS_EXAMPLE
from api.http.audit.parameters import CLIENT_ID_IN_PATH, MIN_POSITION
from api.http.errors import AHEAD_OF_LOG, UNKNOWN_CLIENT, RequestError
from api.http.operation import READ, Operation
from ledger.domain.recording import EventMapper

_MAPPER = EventMapper()


class ClientEventsEndpoint(AuditEndpoint):
    """Lists the events of a client."""

    OPERATION = Operation(
        name="audit_client_events",
        methods=READ,
        tag="audit",
        summary="The changes to a client, in order",
        description="Read from the client's own stream: always current, without waiting for a projection.",
        security="bearer",
        parameters=(CLIENT_ID_IN_PATH, MIN_POSITION),
        responses=(audit_response("Its events, with what each changed.", ClientEventsDocument, CLIENT_EVENTS_EXAMPLE),),
        errors=(UNKNOWN_CLIENT, AHEAD_OF_LOG),
    )

    async def _respond(self, request: AuditRequest) -> web.StreamResponse:
        client_id = request.values.required(CLIENT_ID_IN_PATH)
        moment = await self._audit.moments.resolve_in_log(None, request.min_position)
        rows = await self._audit.events.read_client_events(client_id)
        if not rows:
            raise RequestError(UNKNOWN_CLIENT)
        document = ClientEventsDocument(client_id=client_id, events=client_event_documents(rows, _MAPPER))
        return document_response(document, max(moment.position, rows[-1].position))
