"""The service that tests use without a database: `RunningService` over in-memory issuers, and a server for its app."""

from collections.abc import Sequence

from aiohttp import web
from aiohttp.test_utils import TestServer

from api.http.fast_path.server import create_runner
from api.service.running_service import LogCounts, ServiceCounts
from ledger.domain.errors import Unavailable
from ledger.use_cases.issuer import Issuer
from projections.following.status import ProjectionStatus
from projections.view_check import ViewCheckResult
from tests.in_memory_issuer import InMemoryIssuer


class InMemoryService:
    """Serves in-memory issuers. Tests set `reported`, `statuses` (None: no database), `lag` and `verified`."""

    def __init__(self, stores: Sequence[InMemoryIssuer], issuers: Sequence[Issuer] | None = None) -> None:
        """`issuers` may replace the issuers of the stores."""
        self.issuers = [store.issuer for store in stores] if issuers is None else issuers
        self.reported: list[str] = []
        self.statuses: list[ProjectionStatus] | None = []
        self.lag = 0.0
        self.verified: list[ViewCheckResult] = []
        self.closed = 0
        self._writers = {store.identifier.log_name: store.writer for store in stores}

    async def problems(self) -> list[str]:
        return self.reported

    async def projections(self) -> list[ProjectionStatus]:
        if self.statuses is None:
            msg = "The database is away."
            raise Unavailable(msg)
        return self.statuses

    async def sweep_lag(self) -> float:
        return self.lag

    async def verification(self) -> list[ViewCheckResult]:
        return self.verified

    def counts(self) -> ServiceCounts:
        logs = [LogCounts(log, writer.waiting, 0, writer.counts) for log, writer in self._writers.items()]
        return ServiceCounts(logs, followers=[])

    async def close(self) -> None:
        self.closed += 1
        for writer in self._writers.values():
            await writer.close()


class LedgerTestServer(TestServer):
    """The application on the server that it runs on in production, at a free port."""

    def __init__(self, app: web.Application, *, fast_path: bool = True) -> None:
        super().__init__(app)
        self._fast_path = fast_path

    async def _make_runner(self, **options) -> web.AppRunner:
        return create_runner(self.app, fast_path=self._fast_path, **options)
