"""What auditors ask of a log, and what answers them. Every answer is as of a moment, and stays what it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from ledger.domain.errors import Refusal, Unavailable
from ledger.domain.recording import EventMapper, RecordedEvent
from ledger.domain.token_record import Moment, TokenRecord, TokenStatus


class AheadOfLog(Refusal):
    """An audit question about a moment that has not come."""


def position_beyond_head(position: int, head: int) -> AheadOfLog:
    """Build the error for a position that is not in the log yet."""
    return AheadOfLog(f"position {position} is beyond the head of the log, which is at {head}")


class NotCaughtUp(Unavailable):
    """The projection that answers this has not read as far as was asked for; it will have soon."""


class TokenQuery(Struct, frozen=True, kw_only=True):
    """Which tokens: those for which all of this holds.

    `issued_after` and `issued_before` are about when the issuance was recorded, both inclusive.
    """

    client_id: str | None = None
    subject: str | None = None
    scope: str | None = None
    status: TokenStatus | None = None
    issued_after: datetime | None = None
    issued_before: datetime | None = None

    def matches(self, token: TokenRecord, moment: Moment) -> bool:
        """Whether a token is among them at a moment; one that was not issued by then never is."""
        recorded_at = token.issued.recorded_at
        state = token.state(moment)
        return (
            state != "not_issued"
            and self.client_id in {None, token.client_id}
            and self.subject in {None, token.subject}
            and (self.scope is None or self.scope in token.scope)
            and self.status in {None, state}
            and (self.issued_after is None or recorded_at >= self.issued_after)
            and (self.issued_before is None or recorded_at <= self.issued_before)
        )


class TokenPage(Struct, frozen=True):
    """Tokens, newest issuance first. `before` is where the next page begins, None after the last.

    A page may hold fewer than were asked for, or none, and still not be the last: looking has a bound.
    """

    tokens: Sequence[TokenRecord]
    before: int | None


class EventQuery(Struct, frozen=True, kw_only=True):
    """Which events: those for which all of this holds.

    `since` and `until` are about when they were recorded, both inclusive. `client_id` is the client that an event is
    about, `subject` the subject of its token.
    """

    types: tuple[str, ...] = ()
    client_id: str | None = None
    subject: str | None = None
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class EventPage(Struct, frozen=True):
    """Events in position order. All up to and including `position` have been looked at; go on after it.

    `ended` says that the log, or what was asked of it, ends there for now. A page may be empty and not be the last.
    """

    events: Sequence[RecordedEvent]
    position: int
    ended: bool


class ActivityQuery(Struct, frozen=True, kw_only=True):
    """What to count: from `since` up to `until`, whole buckets of `bucket` seconds since 1970."""

    since: datetime
    until: datetime
    bucket: int
    client_id: str | None = None


class Activity(Struct, frozen=True):
    """What happened in a bucket that begins at `start`; `active` is how many tokens were active at its end."""

    start: datetime
    issued: int
    revoked: int
    active: int


class ClientActivity(Struct, frozen=True):
    """What happened to a client's tokens in the whole of the time; `active` is at its end."""

    client_id: str
    issued: int
    revoked: int
    active: int


class Summary(Struct, frozen=True):
    """Activity over time, and per client (most issued first). It counts everything up to `position`."""

    position: int
    buckets: Sequence[Activity]
    clients: Sequence[ClientActivity]


class AuditMoments(Protocol):
    """Resolves the moment that a response is as of."""

    async def resolve(self, as_of: datetime | int | None = None, min_position: int = 0) -> Moment:
        """Resolve an instant, a position, or now, once the projection has reached it and `min_position`.

        Raises AheadOfLog, Archived, NotCaughtUp, Unavailable.
        """
        ...

    async def resolve_in_log(self, as_of: datetime | int | None = None, min_position: int = 0) -> Moment:
        """Resolve a moment for what is read from the log itself; waits for no projection.

        Raises AheadOfLog, Archived, Unavailable.
        """
        ...


class AuditTokens(Protocol):
    """Finds tokens, whatever became of them. Every method raises Unavailable."""

    async def find_token(self, jti: UUID) -> TokenRecord | None:
        """Find a token in its current state; None if no token with this jti was issued."""
        ...

    async def find_jti(self, digest: bytes) -> UUID | None:
        """Find the jti of a token by its digest; None if it was never issued. Raises NotCaughtUp."""
        ...

    async def find_tokens(self, query: TokenQuery, moment: Moment, *, before: int | None, limit: int) -> TokenPage:
        """Find tokens as of a moment, of those issued before a position."""
        ...


class AuditEvents(Protocol):
    """Reads the events of one log. Every method raises Unavailable."""

    @property
    def waiting(self) -> int:
        """How many callers wait for events."""
        ...

    async def read_token_events(self, jti: UUID) -> Sequence[RecordedEvent]:
        """Read the events of a token; empty if it was never issued. Raises Archived."""
        ...

    async def read_client_events(self, client_id: str) -> Sequence[RecordedEvent]:
        """Read the events of a client; empty if it was never registered."""
        ...

    async def find_events(self, query: EventQuery, *, after: int, limit: int, min_position: int = 0) -> EventPage:
        """Find events after a position.

        Raises AheadOfLog or NotCaughtUp if `min_position` is not reached, Archived if such events may be in an archive.
        """
        ...

    async def wait_for_events(self, query: EventQuery, *, after: int, seconds: float) -> EventPage:
        """Find events after a position as soon as there are any; the query names no subject.

        After `seconds` the page is empty and says how far the log was read. If the page has not `ended`, the log holds
        more: read on with `find_events`.
        """
        ...

    async def close(self) -> None:
        """Stop reading; callers that wait get an empty page."""
        ...


class AuditActivity(Protocol):
    """Counts what happened to tokens."""

    async def summarize(self, query: ActivityQuery, *, clients: int, min_position: int = 0) -> Summary:
        """Summarize activity, with at most `clients` clients. Raises AheadOfLog, NotCaughtUp, Unavailable."""
        ...


@dataclass(frozen=True)
class AuditTrail:
    """The history of one log, for auditors."""

    moments: AuditMoments
    tokens: AuditTokens
    events: AuditEvents
    activity: AuditActivity


def event_matches(query: EventQuery, row: RecordedEvent, mapper: EventMapper) -> bool:
    """Whether an event is one of those asked for, but for its subject, which not every event of a token names.

    Raises StoredDataError when it has to be decoded and cannot be.
    """
    return (
        (not query.types or row.topic in query.types)
        and query.actor in {None, row.actor}
        and (query.since is None or row.recorded_at >= query.since)
        and (query.until is None or row.recorded_at <= query.until)
        and (query.client_id is None or query.client_id == _client_of(row, mapper))
    )


def _client_of(row: RecordedEvent, mapper: EventMapper) -> str | None:
    return getattr(mapper.decode(row).event, "client_id", None)
