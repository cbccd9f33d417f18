"""The worker processes of one service exchange their counts, so that each can serve the metrics of all.

Each listens on a socket in a folder that only their user may enter. Counts are fetched on a scrape, never pushed.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from api.http.metrics.exposition import ProcessCounts

PEER_TIMEOUT_SECONDS = 1.0
"""A peer that takes longer is left out of the scrape."""


class PeerWorkers:
    """The other worker processes, found by their sockets."""

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
