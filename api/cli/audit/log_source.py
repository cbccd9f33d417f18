"""Answers from the log itself: an AuditSource over an issuer's AuditTrail, with a database at hand."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from uuid import UUID

from api.cli.audit.source import PAGE, AsOf, SummaryQuestion, page_size
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

CLIENTS_OF_A_SUMMARY = 100
WAIT_SECONDS = 60.0


class LogSource:
    """Implements `source.AuditSource`.

    What is asked of one token or one client is read from its stream. What is searched for is found through the
    projections, which no process may be following: `catch_up` brings them to the end of the log first.
    """

    def __init__(self, issuer: Issuer, catch_up: Callable[[], Awaitable[None]], *, clock: Clock) -> None:
        self._trail = issuer.audit
        self._catch_up = catch_up
        self._clock = clock
        self._mapper = EventMapper()
        self._warned = False
        self.issuer = issuer.identifier.url

    async def token(self, jti: UUID, as_of: AsOf = None) -> TokenDocument:
        """A token by its jti, as its stream has it. The moment comes first: what is recorded after it is left out."""
        moment = await self._trail.moments.resolve_in_log(as_of)
        record = await self._trail.tokens.find_token(jti)
        if record is None:
            msg = f"no token with jti {jti} was ever issued by {self.issuer}"
            raise UnknownToken(msg)
        return token_document(record, moment)

    async def presented_token(self, token: str, as_of: AsOf = None) -> TokenDocument:
        """A token by its digest, which is all that the log has of it."""
        await self._follow()
        jti = await self._trail.tokens.find_jti(hash_token(token))
        if jti is None:
            msg = f"this token was never issued by {self.issuer}"
            raise UnknownToken(msg)
        return await self.token(jti, as_of)

    async def token_events(self, jti: UUID) -> Sequence[EventDocument]:
        """The rows of a token's stream."""
        return [event_document(row) for row in await self._trail.events.read_token_events(jti)]

    async def token_pages(
        self, query: TokenQuery, as_of: AsOf = None, *, limit: int | None = None
    ) -> AsyncIterator[TokenPageDocument]:
        """Tokens as of one moment, which is fixed before the first page."""
        position = await self._follow()
        moment = await self._trail.moments.resolve(as_of, min_position=position)
        before: int | None = None
        left = limit
        while True:
            found = await self._trail.tokens.find_tokens(query, moment, before=before, limit=page_size(left))
            before = found.before
            yield TokenPageDocument(
                tokens=[token_document(token, moment) for token in found.tokens],
                as_of=moment,
                next=None if before is None else str(before),
            )
            left = None if left is None else left - len(found.tokens)
            if before is None or left == 0:
                return

    async def event_page(self, query: EventQuery, *, after: int, limit: int = PAGE) -> EventPageDocument:
        """Events after a position."""
        searched = query.client_id is not None or query.subject is not None
        position = await self._follow() if searched else 0
        page = await self._trail.events.find_events(query, after=after, limit=limit, min_position=position)
        return EventPageDocument(
            events=[event_document(row) for row in page.events],
            position=page.position,
            next=None if page.ended else page.position,
        )

    async def end(self) -> int:
        """The newest position of the log."""
        return (await self._trail.moments.resolve_in_log()).position

    async def news(self, query: EventQuery, *, after: int) -> AsyncGenerator[EventDocument]:
        """Events as they are recorded, read from the log as soon as it grows."""
        while True:
            page = await self._trail.events.wait_for_events(query, after=after, seconds=WAIT_SECONDS)
            for row in page.events:
                yield event_document(row)
            after = page.position

    async def client_events(self, client_id: str) -> Sequence[ClientEventDocument]:
        """The rows of a client's stream."""
        rows = await self._trail.events.read_client_events(client_id)
        if not rows:
            msg = f"no client {client_id!r} is registered with {self.issuer}"
            raise UnknownClient(msg)
        return client_event_documents(rows, self._mapper)

    async def summary(self, question: SummaryQuestion) -> SummaryDocument:
        """What happened over time, and per client."""
        query = activity_query(
            since=question.since,
            until=question.until,
            bucket=question.bucket,
            client_id=question.client_id,
            now=self._clock(),
        )
        position = await self._follow()
        counted = await self._trail.activity.summarize(query, clients=CLIENTS_OF_A_SUMMARY, min_position=position)
        return summary_document(counted, since=query.since, until=query.until, bucket=question.bucket)

    async def _follow(self) -> int:
        """Bring the projections to the end of the log; the position up to which they have to be read now."""
        try:
            await self._catch_up()
        except EventNotApplied as poison:
            if not self._warned:
                print_warning(
                    f"the history cannot go beyond position {poison.row.position} ({poison.row.topic}), which this "
                    "release cannot apply: what was recorded after it is not in this answer"
                )
            self._warned = True
            return 0
        return await self.end()
