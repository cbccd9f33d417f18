"""The issuer that tests use without a database: the real use cases over the memory store, with a fake clock."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor

from ledger.batching.group_commit import GroupCommit
from ledger.domain.clock import RandomBytes
from ledger.domain.recording import Cause, EventMapper, RecordedEvent
from ledger.memory.event_log import MemoryEventLog
from ledger.use_cases.issuer import Issuer, IssuerIdentifier, assemble_issuer
from tests.builders import FakeClock, ImmediateExecutor, PredictableBytes, settings
from tests.memory.audit_trail import MemoryAuditTrail
from tests.memory.views import MemoryActiveTokens, MemoryClients

OPERATOR = Cause(actor="operator:ana")
ISSUER_URL = "http://localhost:8085/ms-auth-server"

Fold = Callable[[Sequence[RecordedEvent]], None]


class InMemoryIssuer:
    """An issuer and its parts. `log` holds every recorded row."""

    def __init__(
        self,
        url: str = ISSUER_URL,
        *,
        clock: FakeClock | None = None,
        random_bytes: RandomBytes | None = None,
        executor: Executor | None = None,
        fold_tokens: Callable[[MemoryActiveTokens], Fold] = lambda view: view.fold,
    ) -> None:
        """`executor` runs argon2id; `fold_tokens` may replace the view's fold with a defective one."""
        self.identifier = IssuerIdentifier(url)
        self.clock = clock or FakeClock()
        self.random_bytes = random_bytes or PredictableBytes()
        self.mapper = EventMapper()
        self.active_tokens = MemoryActiveTokens(self.mapper)
        self.clients = MemoryClients(self.mapper)
        self.log: list[RecordedEvent] = []
        self.event_log = MemoryEventLog(clock=self.clock, inline=self._inline)
        self._folds: list[Fold] = [fold_tokens(self.active_tokens), self.clients.fold, self.log.extend]
        self._executor = executor or ImmediateExecutor()
        self.issuer = self.open()

    def open(self) -> Issuer:
        """Assemble the use cases over this log, as each process that serves the issuer does."""
        self.writer = GroupCommit(self.event_log)
        return assemble_issuer(
            self.identifier,
            clients=self.clients,
            active_tokens=self.active_tokens,
            streams=self.event_log,
            audit=MemoryAuditTrail(self.event_log, mapper=self.mapper, clock=self.clock),
            writer=self.writer,
            mapper=self.mapper,
            verifications=self._executor,
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
        """Register a client with these settings."""
        return await self.issuer.registry.register(client_id, settings(**changes), OPERATOR)
