"""`/metrics`: what the service does and the state of its projections, for Prometheus."""

import asyncio
import os
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from aiohttp import web

from api.http.instrumented_endpoint import RequestMeter
from api.http.metrics.exposition import CONTENT_TYPE, ProcessCounts, exposition
from api.http.metrics.peer_workers import PeerWorkers
from api.http.operation import READ, Operation, ResponseSpec
from api.http.responses import SERVER, RawResponse, header_lines
from api.service.running_service import RunningService
from ledger.domain.errors import Unavailable
from projections.following.status import ProjectionStatus

METRICS = Operation(
    name="metrics",
    methods=READ,
    tag="health",
    quiet=True,
    summary="The metrics of the service and its projections",
    responses=(ResponseSpec(description="The Prometheus text format.", media_type="text/plain", models=(str,)),),
)

HEADERS = header_lines(
    Content_Type=CONTENT_TYPE,
    X_Content_Type_Options="nosniff",
    Server=SERVER,
    Cache_Control="no-store",
    Pragma="no-cache",
)


class MetricsEndpoint:
    """Serves the metrics of all worker processes, whichever of them handles the scrape."""

    def __init__(self, service: RunningService, meter: RequestMeter, worker_socket_dir: Path | None) -> None:
        """`worker_socket_dir` holds one socket per worker process; None if there is only one process."""
        self._service = service
        self._meter = meter
        self._peers = None if worker_socket_dir is None else PeerWorkers(worker_socket_dir, self._count)
        self._version = _version()

    async def handle(self, _request: web.Request) -> web.StreamResponse:
        """Return 200 even while the database is unreachable, without the metrics that are read from it."""
        others, statuses, sweep_lag = await asyncio.gather(self._others(), self._statuses(), self._sweep_lag())
        return RawResponse(HEADERS, exposition(self._version, [self._count(), *others], statuses, sweep_lag))

    async def start(self, _app: web.Application) -> None:
        """Serve the counts of this process to its peers."""
        if self._peers is not None:
            await self._peers.listen()

    async def stop(self, _app: web.Application) -> None:
        """Stop serving them."""
        if self._peers is not None:
            await self._peers.close()

    def _count(self) -> ProcessCounts:
        return ProcessCounts(os.getpid(), self._service.counts(), self._meter.counts)

    async def _others(self) -> Sequence[ProcessCounts]:
        return () if self._peers is None else await self._peers.fetch_counts()

    async def _statuses(self) -> Sequence[ProjectionStatus] | None:
        try:
            return await self._service.projections()
        except Unavailable:
            return None

    async def _sweep_lag(self) -> float | None:
        try:
            return await self._service.sweep_lag()
        except Unavailable:
            return None


def _version() -> str:
    try:
        return version(SERVER)
    except PackageNotFoundError:  # run from a source tree
        return "unknown"
