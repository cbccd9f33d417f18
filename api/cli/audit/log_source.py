"""The source that reads the log and its projections in a database."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from datetime import datetime
from uuid import UUID

from api.cli.audit.source import PAGE_SIZE, AsOf
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
from api.http.audit.window import Bucket, activity_query
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
    """One token or one client is read from its stream; searches use the projections.

    As there may be no follower, `catch_up` updates the projections first.
    """

    def __init__(self, issuer: Issuer, catch_up: Callable[[], Awaitable[None]], *, clock: Clock) -> None:
        self._trail = issuer.audit
        self._url = issuer.identifier.url
        self._catch_up = catch_up
        self._clock = clock
        self._warned = False

    async def find_token(self, jti: UUID, as_of: AsOf = None) -> TokenDocument:
        """Find a token by its jti. The moment is read first, so that later events are left out. Raises UnknownToken."""
        moment = await self._trail.moments.resolve_in_log(as_of)
        record = await self._trail.tokens.find_token(jti)
        if record is None:
            msg = f"no token with jti {jti} was ever issued by {self._url}"
            raise UnknownToken(msg)
        return token_document(record, moment)

    async def find_presented_token(self, token: str, as_of: AsOf = None) -> TokenDocument:
        """Find a token by its digest, as the log does not contain the token. Raises UnknownToken."""
        await self._update_projections()
        jti = await self._trail.tokens.find_jti(hash_token(token))
        if jti is None:
            msg = f"this token was never issued by {self._url}"
            raise UnknownToken(msg)
        return await self.find_token(jti, as_of)

    async def read_token_events(self, jti: UUID) -> Sequence[EventDocument]:
        """Read all events of a token, in order. Raises UnknownToken, Archived."""
        return [event_document(row) for row in await self._trail.events.read_token_events(jti)]

    async def read_token_page(
        self, query: TokenQuery, as_of: AsOf, *, previous: TokenPageDocument | None, limit: int
    ) -> TokenPageDocument:
        """Read tokens, newest first, all pages as of the moment of the first one."""
        if previous is None:
            position = await self._update_projections()
            moment = await self._trail.moments.resolve(as_of, min_position=position)
        else:
            moment = previous.as_of
        before = int(previous.next) if previous is not None and previous.next is not None else None
        found = await self._trail.tokens.find_tokens(query, moment, before=before, limit=limit)
        return TokenPageDocument(
            tokens=[token_document(token, moment) for token in found.tokens],
            as_of=moment,
            next=None if found.before is None else str(found.before),
        )

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
        """Yield events after a position as soon as the log grows, filtered by `types`, `client_id` and `actor`."""
        while True:
            page = await self._trail.events.wait_for_events(query, after=after, seconds=WAIT_SECONDS)
            for row in page.events:
                yield event_document(row)
            after = page.position

    async def read_client_events(self, client_id: str) -> Sequence[ClientEventDocument]:
        """Read who changed a client, when, from what to what. Raises UnknownClient."""
        rows = await self._trail.events.read_client_events(client_id)
        if not rows:
            msg = f"no client {client_id!r} is registered with {self._url}"
            raise UnknownClient(msg)
        return client_event_documents(rows, EventMapper())

    async def summarize(
        self, *, since: datetime | None, until: datetime | None, bucket: Bucket, client_id: str | None
    ) -> SummaryDocument:
        """Count tokens over time and per client."""
        window = activity_query(since=since, until=until, bucket=bucket, client_id=client_id, now=self._clock())
        position = await self._update_projections()
        counted = await self._trail.activity.summarize(window, clients=MAX_SUMMARY_CLIENTS, min_position=position)
        return summary_document(counted, since=window.since, until=window.until, bucket=bucket)

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
