"""Token histories and audit queries, as data, and the same log in memory as the reference."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from ledger.domain.events import ClientDisabled, ClientRegistered, Event, TokenIssued, TokenRevoked
from ledger.domain.identifiers import client_stream_id
from ledger.domain.recording import Cause, EventMapper, RecordedEvent, StreamEvent, Write
from ledger.domain.token_record import STATUSES
from ledger.use_cases.audit import EventQuery, TokenQuery
from tests.builders import settings

CLIENTS = ("shop", "depot", "till")
SUBJECTS = (None, "ana", "ben", "shop")
"""Subjects of tokens; None stands for the client itself."""

SCOPES = ((), ("read",), ("read", "write"), ("write", "read"), ("admin",))
ACTORS = (*(f"client:{client}" for client in CLIENTS), "operator:ana")
TOPICS = ("token.issued", "token.revoked", "client.registered", "client.disabled")


class Issue(Struct, frozen=True):
    client: str
    subject: str | None
    scope: tuple[str, ...]
    lasts: int
    """Seconds from the start of the example; negative for a token that expired before it was recorded."""


class Revoke(Struct, frozen=True):
    token: int
    actor: str


class CatchUp(Struct, frozen=True):
    """Let the projections read the log so far."""


Step = Issue | Revoke | CatchUp

lifetimes = st.sampled_from([1, 0, -1, -2, -70, 70, -4000, 4000, -90_000, 90_000])
steps = st.one_of(
    st.builds(Issue, st.sampled_from(CLIENTS), st.sampled_from(SUBJECTS), st.sampled_from(SCOPES), lifetimes),
    st.builds(Issue, st.just("shop"), st.none(), st.just(("read",)), lifetimes),
    st.builds(Revoke, st.integers(0, 30), st.sampled_from(ACTORS)),
    st.just(CatchUp()),
)
histories = st.lists(st.lists(steps, min_size=2, max_size=8), min_size=2, max_size=6)
"""Lists of batches; the events of a batch are recorded at the same instant."""


TOKEN_FILTERS = {
    "client_id": st.sampled_from(CLIENTS),
    "subject": st.sampled_from(("ana", "shop", "depot", "nobody")),
    "scope": st.sampled_from(("read", "write", "admin", "other")),
    "status": st.sampled_from(STATUSES),
}
EVENT_FILTERS = {
    "types": st.sets(st.sampled_from(TOPICS), max_size=3).map(tuple),
    "client_id": st.sampled_from(CLIENTS),
    "subject": st.sampled_from(("ana", "shop", "nobody")),
    "actor": st.sampled_from(ACTORS),
}
token_queries = st.fixed_dictionaries({}, optional=TOKEN_FILTERS).map(lambda fields: TokenQuery(**fields))
event_queries = st.fixed_dictionaries({}, optional=EVENT_FILTERS).map(lambda fields: EventQuery(**fields))


class Historian:
    """Turns steps into writes. A token is revoked at most once."""

    def __init__(self) -> None:
        self._mapper = EventMapper()
        self._start = datetime.now(UTC).replace(microsecond=0)
        self._tokens: list[TokenIssued] = []
        self._revoked: set[UUID] = set()

    @property
    def expiries(self) -> set[datetime]:
        return {token.expires_at for token in self._tokens}

    @property
    def digests(self) -> dict[bytes, UUID]:
        return {token.digest: token.jti for token in self._tokens}

    def clients(self) -> list[Write]:
        return [
            self._write(client_stream_id(client), 1, self._registered(client), "operator:ana") for client in CLIENTS
        ] + [
            self._write(client_stream_id("till"), 2, self._disabled("till"), "operator:ana"),
        ]

    def writes(self, batch: Sequence[Step]) -> list[Write]:
        return [write for step in batch if (write := self._of(step)) is not None]

    def _of(self, step: Step) -> Write | None:
        match step:
            case Issue():
                number = len(self._tokens) + 1
                issued = TokenIssued(
                    jti=UUID(int=number),
                    digest=sha256(b"%d" % number).digest(),
                    client_id=step.client,
                    subject=step.subject or step.client,
                    scope=step.scope,
                    audience=(step.client, "api"),
                    grant_type="client_credentials",
                    token_format="opaque",
                    issued_at=self._start,
                    expires_at=self._start + timedelta(seconds=step.lasts),
                )
                self._tokens.append(issued)
                return self._write(issued.jti, 1, issued, f"client:{step.client}")
            case Revoke() if self._tokens:
                token = self._tokens[step.token % len(self._tokens)]
                if token.jti not in self._revoked:
                    self._revoked.add(token.jti)
                    revoked = TokenRevoked(
                        jti=token.jti,
                        digest=token.digest,
                        client_id=token.client_id,
                        revoked_at=self._start,
                        reason="asked for",
                    )
                    return self._write(token.jti, 2, revoked, step.actor)
        return None

    def _registered(self, client: str) -> Event:
        return ClientRegistered(client_id=client, settings=settings(), registered_at=self._start)

    def _disabled(self, client: str) -> Event:
        return ClientDisabled(client_id=client, disabled_at=self._start, reason="closed")

    def _write(self, stream: UUID, version: int, event: Event, actor: str) -> Write:
        cause = Cause(actor=actor, request_id=f"r-{stream.int % 97}", remote_address="192.0.2.1")
        row = self._mapper.encode(StreamEvent(stream, version, event), cause)
        return Write((replace(row, salt=None),))  # audits do not show it


class Rows:
    """An existing log, with the read methods of an event log."""

    def __init__(self, rows: Sequence[RecordedEvent]) -> None:
        self.rows = rows

    async def read_stream(self, stream_id: UUID) -> Sequence[RecordedEvent]:
        return [row for row in self.rows if row.stream_id == stream_id]

    async def read(self, after, limit) -> Sequence[RecordedEvent]:
        return [row for row in self.rows if row.position > after][:limit]
