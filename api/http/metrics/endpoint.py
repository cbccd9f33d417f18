"""`/metrics`: what the service does and how its projections are, for Prometheus."""

import asyncio
import os
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from aiohttp import web

from api.http.metrics.exposition import CONTENT_TYPE, exposition
from api.http.metrics.peer_workers import PeerWorkers
from api.http.operation import READ, Operation, ResponseSpec
from api.http.raw_response import RawResponse, header_lines
from api.http.responses import SERVER
from api.service.counts import ProcessCounts, RequestMeter
from api.service.running_service import RunningService
from ledger.domain.errors import Unavailable
from projections.following.status import ProjectionStatus

METRICS = Operation(
    name="metrics",
    methods=READ,
    tag="health",
    summary="What the service does and how its projections are",
    responses=(ResponseSpec(description="The text format of Prometheus.", media_type="text/plain", models=(str,)),),
)

HEADERS = header_lines(
    Content_Type=CONTENT_TYPE,
    X_Content_Type_Options="nosniff",
    Server=SERVER,
    Cache_Control="no-store",
    Pragma="no-cache",
)


class MetricsEndpoint:
    """Answers for all processes of the service, whichever of them is asked."""

    def __init__(self, service: RunningService, meter: RequestMeter, worker_socket_dir: Path | None) -> None:
        """`worker_socket_dir` holds one socket per worker process; None when there is only one process."""
        self._service = service
        self._meter = meter
        self._peers = None if worker_socket_dir is None else PeerWorkers(worker_socket_dir, self._count)
        self._version = _version()

    async def handle(self, _request: web.Request) -> web.StreamResponse:
        """200, also while the database is away: then there is nothing about projections."""
        others, statuses, sweep_lag = await asyncio.gather(self._others(), self._statuses(), self._sweep_lag())
        return RawResponse(HEADERS, exposition(self._version, [self._count(), *others], statuses, sweep_lag))

    async def start(self, _app: web.Application) -> None:
        """Let the other processes ask this one."""
        if self._peers is not None:
            await self._peers.listen()

    async def stop(self, _app: web.Application) -> None:
        """Answer them no more."""
        if self._peers is not None:
            await self._peers.close()

    def _count(self) -> ProcessCounts:
        return ProcessCounts(os.getpid(), self._service.counts(), self._meter.counts)

    async def _others(self) -> Sequence[ProcessCounts]:
        return () if self._peers is None else await self._peers.ask()

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
    except PackageNotFoundError:  # run from its source
        return "unknown"
