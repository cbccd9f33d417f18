"""Where the audit endpoints of an issuer are."""

from collections.abc import Iterator

from api.http.audit.clients import ClientEventsEndpoint
from api.http.audit.endpoint import AuditEndpoint
from api.http.audit.event_stream import EventStreamEndpoint
from api.http.audit.events import EventsEndpoint
from api.http.audit.streaming import OpenStreams
from api.http.audit.summary import SummaryEndpoint
from api.http.audit.token_list import TokenListEndpoint
from api.http.audit.tokens import TokenEventsEndpoint, TokenLookupEndpoint, TokenStateEndpoint
from ledger.use_cases.issuer import Issuer

TOKENS = "/audit/tokens"
LOOKUP = "/audit/tokens/lookup"
TOKEN = "/audit/tokens/{jti}"  # noqa: S105 (a path, not a secret)
TOKEN_EVENTS = "/audit/tokens/{jti}/events"  # noqa: S105 (a path, not a secret)
EVENTS = "/audit/events"
STREAM = "/audit/events/stream"
CLIENT_EVENTS = "/audit/clients/{client_id}/events"
SUMMARY = "/audit/summary"


def audit_endpoints(issuer: Issuer, open_streams: OpenStreams) -> Iterator[tuple[str, AuditEndpoint]]:
    """Each below the path of the issuer."""
    yield TOKENS, TokenListEndpoint(issuer)
    yield LOOKUP, TokenLookupEndpoint(issuer)
    yield TOKEN, TokenStateEndpoint(issuer)
    yield TOKEN_EVENTS, TokenEventsEndpoint(issuer)
    yield EVENTS, EventsEndpoint(issuer)
    yield STREAM, EventStreamEndpoint(issuer, open_streams)
    yield CLIENT_EVENTS, ClientEventsEndpoint(issuer)
    yield SUMMARY, SummaryEndpoint(issuer)
