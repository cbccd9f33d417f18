"""Learn that a log has grown: LISTEN on one connection of the process.

Notifications only wake waiters up early, and nothing they say is believed: any role can send one. They are lost while
the connection is down, so waiters also poll.
"""

import asyncio
from contextlib import suppress

import asyncpg

from ledger.postgres.database import CONNECT_SECONDS, CONNECTION_ERRORS, SESSION

CHANNEL = "token_ledger"

RECONNECT_SECONDS = 1.0
KEEPALIVE_SECONDS = 10.0
"""How often the connection is probed: a network can drop it silently."""


class LogNotifications:
    """Wakes waiters when a log grows."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._counts: dict[int, int] = {}
        self._waiting: dict[int, set[asyncio.Future[None]]] = {}
        self._task: asyncio.Task[None] | None = None
        self.listening = False
        """Whether the connection is up."""

    def count(self, log_id: int) -> int:
        """How many notifications of a log have arrived. Take it before you read the log, for `wait`."""
        return self._counts.setdefault(log_id, 0)

    async def wait(self, log_id: int, *, since: int, seconds: float) -> None:
        """Return when a notification of the log has arrived since a count was taken, or after `seconds`."""
        if self._task is None:
            self._task = asyncio.create_task(self._listen())
        if self.count(log_id) != since:
            return
        growth: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(log_id, set())
        waiting.add(growth)
        try:
            with suppress(TimeoutError):
                # Unlike wait_for, this propagates a cancellation that arrives together with the notification.
                async with asyncio.timeout(seconds):
                    await growth
        finally:
            waiting.discard(growth)

    async def close(self) -> None:
        """Stop listening."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except CONNECTION_ERRORS:
                pass
            finally:
                self.listening = False
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen_once(self) -> None:
        connection = await asyncpg.connect(self._dsn, timeout=CONNECT_SECONDS, server_settings=SESSION)
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        try:
            await connection.add_listener(CHANNEL, self._on_notify)
            self.listening = True
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(KEEPALIVE_SECONDS):
                        await lost.wait()
                    return
                await connection.execute("SELECT 1", timeout=CONNECT_SECONDS)
        finally:
            connection.terminate()

    def _on_notify(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        log = str(payload).partition(":")[0]
        if not (log.isascii() and log.isdecimal()):
            return
        log_id = int(log)
        if log_id not in self._counts:  # not a log that this process reads
            return
        self._counts[log_id] += 1
        for growth in self._waiting.get(log_id, ()):
            if not growth.done():
                growth.set_result(None)
