"""An AuditSource that reads the log and its projections in a database."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from uuid import UUID

from api.cli.audit.source import PAGE_SIZE, AsOf, SummaryQuery, limit_page_size
from api.cli.output import print_warning
from api.http.audit.documents import (
    ClientEventDocument,
    EventDocument,
    EventPageDocument,
    SummaryDocument,
    TokenDocument,
    TokenPageDocument,
    client_event_documents,
    event_document,
    summary_document,
    token_document,
)
from api.http.audit.window import activity_query
from ledger.domain.clock import Clock
from ledger.domain.errors import UnknownClient, UnknownToken
from ledger.domain.recording import EventMapper
from ledger.domain.secrets import hash_token
from ledger.use_cases.audit import EventQuery, TokenQuery
from ledger.use_cases.issuer import Issuer
from projections.following.batches import EventNotApplied

MAX_SUMMARY_CLIENTS = 100
WAIT_SECONDS = 60.0


class LogSource:
    """Implements `source.AuditSource`.

    One token or one client is read from its stream. Searches use the projections; as there may be no follower,
    `catch_up` updates them first.
    """

    def __init__(self, issuer: Issuer, catch_up: Callable[[], Awaitable[None]], *, clock: Clock) -> None:
        self._trail = issuer.audit
        self._url = issuer.identifier.url
        self._catch_up = catch_up
        self._clock = clock
        self._mapper = EventMapper()
        self._warned = False

    async def find_token(self, jti: UUID, as_of: AsOf = None) -> TokenDocument:
        """Find a token in its stream. The moment is read first, so that later events are left out."""
        moment = await self._trail.moments.resolve_in_log(as_of)
        record = await self._trail.tokens.find_token(jti)
        if record is None:
            msg = f"no token with jti {jti} was ever issued by {self._url}"
            raise UnknownToken(msg)
        return token_document(record, moment)

    async def find_presented_token(self, token: str, as_of: AsOf = None) -> TokenDocument:
        """Find a token by its digest, as the log does not contain the token."""
        await self._update_projections()
        jti = await self._trail.tokens.find_jti(hash_token(token))
        if jti is None:
            msg = f"this token was never issued by {self._url}"
            raise UnknownToken(msg)
        return await self.find_token(jti, as_of)

    async def read_token_events(self, jti: UUID) -> Sequence[EventDocument]:
        """Read the stream of a token."""
        return [event_document(row) for row in await self._trail.events.read_token_events(jti)]

    async def read_token_pages(
        self, query: TokenQuery, as_of: AsOf = None, *, limit: int | None = None
    ) -> AsyncIterator[TokenPageDocument]:
        """Read tokens as of one moment, which is fixed before the first page."""
        position = await self._update_projections()
        moment = await self._trail.moments.resolve(as_of, min_position=position)
        before: int | None = None
        remaining = limit
        while True:
            found = await self._trail.tokens.find_tokens(query, moment, before=before, limit=limit_page_size(remaining))
            before = found.before
            yield TokenPageDocument(
                tokens=[token_document(token, moment) for token in found.tokens],
                as_of=moment,
                next=None if before is None else str(before),
            )
            remaining = None if remaining is None else remaining - len(found.tokens)
            if before is None or remaining == 0:
                return

    async def read_event_page(self, query: EventQuery, *, after: int, limit: int = PAGE_SIZE) -> EventPageDocument:
        """Read events after a position. Filters by client or subject use the projections."""
        uses_projections = query.client_id is not None or query.subject is not None
        position = await self._update_projections() if uses_projections else 0
        page = await self._trail.events.find_events(query, after=after, limit=limit, min_position=position)
        return EventPageDocument(
            events=[event_document(row) for row in page.events],
            position=page.position,
            next=None if page.ended else page.position,
        )

    async def read_last_position(self) -> int:
        """Read the newest position of the log."""
        return (await self._trail.moments.resolve_in_log()).position

    async def stream_events(self, query: EventQuery, *, after: int) -> AsyncGenerator[EventDocument]:
        """Yield events as soon as the log grows."""
        while True:
            page = await self._trail.events.wait_for_events(query, after=after, seconds=WAIT_SECONDS)
            for row in page.events:
                yield event_document(row)
            after = page.position

    async def read_client_events(self, client_id: str) -> Sequence[ClientEventDocument]:
        """Read the stream of a client."""
        rows = await self._trail.events.read_client_events(client_id)
        if not rows:
            msg = f"no client {client_id!r} is registered with {self._url}"
            raise UnknownClient(msg)
        return client_event_documents(rows, self._mapper)

    async def summarize(self, query: SummaryQuery) -> SummaryDocument:
        """Count tokens over time and per client."""
        window = activity_query(
            since=query.since, until=query.until, bucket=query.bucket, client_id=query.client_id, now=self._clock()
        )
        position = await self._update_projections()
        counted = await self._trail.activity.summarize(window, clients=MAX_SUMMARY_CLIENTS, min_position=position)
        return summary_document(counted, since=window.since, until=window.until, bucket=query.bucket)

    async def _update_projections(self) -> int:
        """Bring the projections up to date; returns the position that queries must have applied."""
        try:
            await self._catch_up()
        except EventNotApplied as poison:
            if not self._warned:
                print_warning(
                    f"the projections cannot apply the event at position {poison.row.position} ({poison.row.topic}): "
                    "events from there on are missing in this result"
                )
            self._warned = True
            return 0
        return await self.read_last_position()
