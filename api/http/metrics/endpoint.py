"""`/metrics`: what the service does and how its projections are, for Prometheus."""

import asyncio
import os
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from aiohttp import web

from api.http.metrics.exposition import CONTENT_TYPE, exposition
from api.http.metrics.peer_workers import Siblings
from api.http.operation import READ, Operation, Reply
from api.http.raw_response import Answer, header_lines
from api.http.responses import SERVER
from api.service.composition import RunningService
from api.service.counts import ProcessCounts, RequestMeter
from ledger.domain.errors import Unavailable
from projections.following.status import ProjectionStatus

METRICS = Operation(
    name="metrics",
    methods=READ,
    tag="health",
    summary="What the service does and how its projections are",
    replies=(Reply(description="The text format of Prometheus.", media_type="text/plain", models=(str,)),),
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

    def __init__(self, service: RunningService, meter: RequestMeter, siblings: Path | None) -> None:
        """`siblings` is the folder where the processes of this service find each other, where there are several."""
        self._service = service
        self._meter = meter
        self._siblings = None if siblings is None else Siblings(siblings, self._count)
        self._version = _version()

    async def handle(self, _request: web.Request) -> web.StreamResponse:
        """200, also while the database is away: then there is nothing about projections."""
        others, statuses, behind = await asyncio.gather(self._others(), self._statuses(), self._sweep_behind())
        return Answer(HEADERS, exposition(self._version, [self._count(), *others], statuses, behind))

    async def start(self, _app: web.Application) -> None:
        """Let the other processes ask this one."""
        if self._siblings is not None:
            await self._siblings.listen()

    async def stop(self, _app: web.Application) -> None:
        """Answer them no more."""
        if self._siblings is not None:
            await self._siblings.close()

    def _count(self) -> ProcessCounts:
        return ProcessCounts(os.getpid(), self._service.counts(), self._meter.counts)

    async def _others(self) -> Sequence[ProcessCounts]:
        return () if self._siblings is None else await self._siblings.ask()

    async def _statuses(self) -> Sequence[ProjectionStatus] | None:
        try:
            return await self._service.projections()
        except Unavailable:
            return None

    async def _sweep_behind(self) -> float | None:
        try:
            return await self._service.sweep_behind()
        except Unavailable:
            return None


def _version() -> str:
    try:
        return version(SERVER)
    except PackageNotFoundError:  # run from its source
        return "unknown"
