"""The inline projections in memory, for tests: `active_tokens` and `clients`, folded as events are recorded."""

import asyncio
from collections.abc import Awaitable, Sequence

from ledger.domain.client import Client, evolve_client
from ledger.domain.clock import to_epoch_seconds
from ledger.domain.events import ClientEvent, TokenIssued, TokenRevoked
from ledger.domain.recording import EventMapper, RecordedEvent
from ledger.domain.scope import format_scope
from ledger.use_cases.ports import ActiveToken


class MemoryActiveTokens:
    """Implements `ledger.use_cases.ports.ActiveTokens`. Expired tokens stay: readers compare `expires_at`."""

    def __init__(self, mapper: EventMapper) -> None:
        self._mapper = mapper
        self._tokens: dict[bytes, ActiveToken] = {}

    def fold(self, recorded: Sequence[RecordedEvent]) -> None:
        """Apply rows in position order; rows of other topics are skipped."""
        for row in recorded:
            match self._mapper.decode(row).event:
                case TokenIssued() as issued:
                    self._tokens[issued.digest] = ActiveToken(
                        jti=issued.jti,
                        client_id=issued.client_id,
                        subject=issued.subject,
                        scope=format_scope(issued.scope),
                        audience=issued.audience,
                        issued_at=to_epoch_seconds(issued.issued_at),
                        expires_at=to_epoch_seconds(issued.expires_at),
                    )
                case TokenRevoked() as revoked:
                    self._tokens.pop(revoked.digest, None)

    def get(self, digest: bytes) -> Awaitable[ActiveToken | None]:
        """The token of a digest as of this call, unless it is revoked or was never issued."""
        answer: asyncio.Future[ActiveToken | None] = asyncio.get_running_loop().create_future()
        answer.set_result(self._tokens.get(digest))
        return answer


class MemoryClients:
    """Implements `ledger.use_cases.ports.Clients`."""

    def __init__(self, mapper: EventMapper) -> None:
        self._mapper = mapper
        self._clients: dict[str, Client] = {}

    def fold(self, recorded: Sequence[RecordedEvent]) -> None:
        """Apply rows in position order; rows of other topics are skipped."""
        for row in recorded:
            stream_event = self._mapper.decode(row)
            if isinstance(stream_event.event, ClientEvent):
                client_id = stream_event.event.client_id
                self._clients[client_id] = evolve_client(self._clients.get(client_id), stream_event)

    async def get(self, client_id: str) -> Client | None:
        """A client as of now."""
        return self._clients.get(client_id)

    async def list_all(self) -> Sequence[Client]:
        """Every client, by id."""
        return [self._clients[client_id] for client_id in sorted(self._clients)]
