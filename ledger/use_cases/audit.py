"""Use case: audit a log. Results are as of a moment and do not change as the log grows."""

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
    """A query about a position or an instant that the log has not reached."""


class PositionBeyondHead(AheadOfLog):
    """A position beyond the head of the log."""

    def __init__(self, position: int, head: int) -> None:
        super().__init__(f"position {position} is beyond the head of the log, which is at {head}")


class InstantInFuture(AheadOfLog):
    """An instant after the present one."""

    def __init__(self, instant: datetime, now: datetime) -> None:
        super().__init__(f"{instant.isoformat()} is in the future: it is {now.isoformat()} here")


class NotCaughtUp(Unavailable):
    """A projection has not reached the requested position yet."""


class TokenQuery(Struct, frozen=True, kw_only=True):
    """Selects the tokens that match every field. `issued_after` and `issued_before` are inclusive."""

    client_id: str | None = None
    subject: str | None = None
    scope: str | None = None
    status: TokenStatus | None = None
    issued_after: datetime | None = None
    issued_before: datetime | None = None


class TokenPage(Struct, frozen=True):
    """Tokens, newest issuance first. The next page is before position `before`; None if this is the last.

    A page that is not the last may hold fewer tokens than the limit, or none, because a search is bounded.
    """

    tokens: Sequence[TokenRecord]
    before: int | None


class EventQuery(Struct, frozen=True, kw_only=True):
    """Selects the events that match every field.

    `since` and `until` are inclusive. `client_id` is the client that an event concerns, `subject` that of its token.
    """

    types: tuple[str, ...] = ()
    client_id: str | None = None
    subject: str | None = None
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class EventPage(Struct, frozen=True):
    """Events in position order. The search covered positions up to `position`; the next page is after it.

    `ended`: the log, or the selected part, ends here for now. A page that is not the last may be empty.
    """

    events: Sequence[RecordedEvent]
    position: int
    ended: bool


class ActivityQuery(Struct, frozen=True, kw_only=True):
    """Selects what is counted, from `since` to `until`, in buckets of `bucket` seconds aligned to 1970."""

    since: datetime
    until: datetime
    bucket: int
    client_id: str | None = None


class Activity(Struct, frozen=True):
    """Counts for the bucket that starts at `start`; `active` counts tokens at its end."""

    start: datetime
    issued: int
    revoked: int
    active: int


class ClientActivity(Struct, frozen=True):
    """Counts for a client over all buckets; `active` counts tokens at the end."""

    client_id: str
    issued: int
    revoked: int
    active: int


class Summary(Struct, frozen=True):
    """Activity over time and per client, most issued first, up to `position`."""

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
    """Whether an event matches a query, except for `subject`, which not every event of a token holds.

    Raises StoredDataError when the event must be decoded and cannot be.
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
