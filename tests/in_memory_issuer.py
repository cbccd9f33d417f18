"""One issuer over the memory store: the real use cases, a clock set by hand, nothing that touches the outside."""

from collections.abc import Callable, Sequence

from ledger.batching.group_commit import GroupCommit
from ledger.domain.recording import Cause, EventMapper, RecordedEvent
from ledger.memory.recorder import MemoryRecorder
from ledger.use_cases.issuer import IssuerIdentifier, assemble_issuer
from projections.memory.audit_trail import MemoryAuditTrail
from projections.memory.views import MemoryActiveTokens, MemoryClients
from tests.builders import ImmediateExecutor, PredictableBytes, SettableClock, settings

OPERATOR = Cause(actor="operator:ana")
ISSUER_URL = "http://localhost:8085/ms-auth-server"

Fold = Callable[[Sequence[RecordedEvent]], None]


class InMemoryIssuer:
    """An issuer, and what it is made of. `log` is every row recorded so far."""

    def __init__(self, *, fold_tokens: Callable[[MemoryActiveTokens], Fold] = lambda view: view.fold) -> None:
        """`fold_tokens` may put a defective fold in place of the view's own."""
        self.clock = SettableClock()
        self.random_bytes = PredictableBytes()
        self.mapper = EventMapper()
        self.active_tokens = MemoryActiveTokens(self.mapper)
        self.clients = MemoryClients(self.mapper)
        self.log: list[RecordedEvent] = []
        self._folds: list[Fold] = [fold_tokens(self.active_tokens), self.clients.fold, self.log.extend]
        self.recorder = MemoryRecorder(clock=self.clock, inline=self._inline)
        self.writer = GroupCommit(self.recorder)
        self.issuer = assemble_issuer(
            IssuerIdentifier(ISSUER_URL),
            clients=self.clients,
            active_tokens=self.active_tokens,
            streams=self.recorder,
            audit=MemoryAuditTrail(self.recorder, mapper=self.mapper, clock=self.clock),
            writer=self.writer,
            mapper=self.mapper,
            verifications=ImmediateExecutor(),
            clock=self.clock,
            random_bytes=self.random_bytes,
        )

    def _inline(self, recorded: Sequence[RecordedEvent]) -> None:
        for fold in self._folds:
            fold(recorded)

    @property
    def topics(self) -> list[str]:
        return [row.topic for row in self.log]

    async def register(self, client_id: str = "shop", **changes):
        """Register a client; returns it as it is after."""
        return await self.issuer.registry.register(client_id, settings(**changes), OPERATOR)


class HookedWriter:
    """A writer before which something happens: each hook runs once, before one write."""

    def __init__(self, writer) -> None:
        self._writer = writer
        self.hooks: list = []

    async def write(self, write):
        if self.hooks:
            await self.hooks.pop(0)()
        return await self._writer.write(write)
