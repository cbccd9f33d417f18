"""`/metrics`: what the service does and the state of its projections, for Prometheus."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeVar

import msgspec
import structlog
from aiohttp import web

from api.http.instrumented_endpoint import RequestMeter
from api.http.metrics.exposition import CONTENT_TYPE, ProcessCounts, exposition
from api.http.operation import READ, Operation, ResponseSpec
from api.http.responses import SERVER, RawResponse, header_lines
from api.service.running_service import RunningService
from ledger.domain.errors import Unavailable

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


PEER_TIMEOUT_SECONDS = 1.0
"""A worker process that takes longer is left out of the scrape."""

T = TypeVar("T")


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
        others, statuses, sweep_lag, verification = await asyncio.gather(
            self._others(),
            _or_none(self._service.projections()),
            _or_none(self._service.sweep_lag()),
            _or_none(self._service.verification()),
        )
        processes = [self._count(), *others]
        return RawResponse(HEADERS, exposition(self._version, processes, statuses, sweep_lag, verification))

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


async def _or_none(read: Awaitable[T]) -> T | None:
    try:
        return await read
    except Unavailable:
        return None


def _version() -> str:
    try:
        return version(SERVER)
    except PackageNotFoundError:  # run from a source tree
        return "unknown"


class PeerWorkers:
    """The worker processes of one service exchange their counts, so that each can serve the metrics of all.

    Each listens on a socket in a folder that only their user may enter. Counts are fetched on a scrape, never pushed.
    """

    def __init__(self, folder: Path, count: Callable[[], ProcessCounts]) -> None:
        """`count` returns the counts of this process."""
        self._folder = folder
        self._socket = folder / f"{os.getpid()}.sock"
        self._count = count
        self._server: asyncio.Server | None = None

    async def listen(self) -> None:
        """Serve the counts of this process. If that fails, each process serves only its own metrics."""
        try:
            self._server = await asyncio.start_unix_server(self._send_counts, self._socket)
        except OSError as error:
            structlog.get_logger().warning("metrics cover one process only", reason=str(error))

    async def close(self) -> None:
        """Stop listening and remove the socket."""
        if self._server is not None:
            self._server.close()
            self._socket.unlink(missing_ok=True)

    async def fetch_counts(self) -> list[ProcessCounts]:
        """Fetch the counts of the peers that respond in time."""
        sockets = [path for path in sorted(self._folder.glob("*.sock")) if path != self._socket]
        found = await asyncio.gather(*map(_fetch, sockets))
        return [counts for counts in found if counts is not None]

    async def _send_counts(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(msgspec.json.encode(self._count()))
        writer.close()


async def _fetch(path: Path) -> ProcessCounts | None:
    try:
        async with asyncio.timeout(PEER_TIMEOUT_SECONDS):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                return msgspec.json.decode(await reader.read(), type=ProcessCounts)
            finally:
                writer.close()
    except (OSError, TimeoutError, msgspec.DecodeError):  # the process has ended or is ending
        return None
