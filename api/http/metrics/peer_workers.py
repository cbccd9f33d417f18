"""The processes of one service tell each other what they counted, so that whichever is asked answers for all of them.

Each listens on a socket in a folder that only their user may enter, and is asked when somebody asks for metrics, not
before: a process that counts does nothing besides.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from api.service.counts import ProcessCounts

PEER_TIMEOUT_SECONDS = 1.0
"""How long the others may take to answer. One that is paused or overloaded is left out."""


class PeerWorkers:
    """One of several processes, and its way to the others."""

    def __init__(self, folder: Path, count: Callable[[], ProcessCounts]) -> None:
        """`count` gives what is told of this process."""
        self._folder = folder
        self._place = folder / f"{os.getpid()}.sock"
        self._count = count
        self._server: asyncio.Server | None = None

    async def listen(self) -> None:
        """Answer the others from now on."""
        try:
            self._server = await asyncio.start_unix_server(self._tell, self._place)
        except OSError as error:
            structlog.get_logger().warning("metrics cover one process only", reason=str(error))

    async def close(self) -> None:
        """Answer no more."""
        if self._server is not None:
            self._server.close()
            self._place.unlink(missing_ok=True)

    async def ask(self) -> list[ProcessCounts]:
        """What the others counted, as far as they answer."""
        places = [place for place in sorted(self._folder.glob("*.sock")) if place != self._place]
        answers = await asyncio.gather(*map(_ask, places))
        return [answer for answer in answers if answer is not None]

    async def _tell(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(msgspec.json.encode(self._count()))
        writer.close()


async def _ask(place: Path) -> ProcessCounts | None:
    try:
        async with asyncio.timeout(PEER_TIMEOUT_SECONDS):
            reader, writer = await asyncio.open_unix_connection(place)
            try:
                return msgspec.json.decode(await reader.read(), type=ProcessCounts)
            finally:
                writer.close()
    except (OSError, TimeoutError, msgspec.DecodeError):  # it has ended, or is about to
        return None
