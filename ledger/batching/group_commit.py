"""Group commit: concurrent writes of one process share transactions.

Writes that arrive while a batch commits form the next one. There is no timer, so an idle service adds no wait. Each log
has one group commit in each process; the head row orders the batches of several processes.
"""

import asyncio
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence

from msgspec import Struct, field

from ledger.domain.errors import QueueFull, Unavailable
from ledger.domain.recording import EventLog, VersionConflict, Write, WriteResult

BATCH_BOUNDS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
"""Writes in a batch: the upper bounds of what is counted together; larger ones are counted last."""


class AppendCounts(Struct):
    """Writes by what became of them, the events that were recorded, and how large batches were.

    A write that was refused, because too many waited, was in no batch.
    """

    recorded: int = 0
    conflicts: int = 0
    failed: int = 0
    refused: int = 0
    events: int = 0
    batches: list[int] = field(default_factory=lambda: [0] * (len(BATCH_BOUNDS) + 1))

    def add(self, writes: Sequence[Write], results: Sequence[WriteResult | Exception]) -> None:
        """Count a batch."""
        self.batches[bisect_left(BATCH_BOUNDS, len(writes))] += 1
        for write, result in zip(writes, results, strict=True):
            if isinstance(result, VersionConflict):
                self.conflicts += 1
            elif isinstance(result, Exception):
                self.failed += 1
            else:
                self.recorded += 1
                self.events += len(write.events)


class GroupCommit:
    """Takes writes from many tasks and hands them to the event log in batches, in the order of their arrival."""

    def __init__(self, event_log: EventLog, *, max_waiting: int = 4096, max_batch: int = 512) -> None:
        """At most `max_waiting` writes wait, one more is refused at once; `max_batch` bounds a transaction."""
        self._event_log = event_log
        self._waiting: deque[tuple[Write, asyncio.Future[WriteResult]]] = deque()
        self._max_waiting = max_waiting
        self._max_batch = max_batch
        self._committing: asyncio.Task[None] | None = None
        self._closed = False
        self.counts = AppendCounts()

    @property
    def waiting(self) -> int:
        """How many writes wait, without those being committed now."""
        return len(self._waiting)

    async def write(self, write: Write) -> WriteResult:
        """Record one write; returns once it is durable.

        Cancelling the caller does not cancel the write: once queued it is recorded.
        Raises VersionConflict, QueueFull, or another Unavailable (OutcomeUnknown when it may have been recorded).
        """
        if self._closed:
            msg = "The service is shutting down and takes no more writes."
            raise Unavailable(msg)
        if len(self._waiting) >= self._max_waiting:
            self.counts.refused += 1
            msg = f"{self._max_waiting} writes wait to be recorded already."
            raise QueueFull(msg)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[WriteResult] = loop.create_future()
        self._waiting.append((write, future))
        if self._committing is None:
            self._committing = loop.create_task(self._commit_all())
        return await future

    async def close(self) -> None:
        """Take no more writes, and return once the waiting ones are done."""
        self._closed = True
        while self._committing is not None:
            await asyncio.wait((self._committing,))

    async def _commit_all(self) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._max_batch))]
                writes = [write for write, _ in batch]
                results = await self._append(writes)
                self.counts.add(writes, results)
                for (_, future), result in zip(batch, results, strict=True):
                    _resolve(future, result)
        finally:
            self._committing = None

    async def _append(self, writes: Sequence[Write]) -> Sequence[WriteResult | Exception]:
        try:
            return await self._event_log.append(writes)
        except Unavailable as error:
            return [error] * len(writes)
        except Exception as error:  # noqa: BLE001 (every caller of the batch must get it)
            if len(writes) == 1:
                return [error]
            # Something in this batch cannot be recorded at all. It must not fail the others.
            return [result for write in writes for result in await self._append([write])]


def _resolve(future: asyncio.Future[WriteResult], result: WriteResult | Exception) -> None:
    if future.done():  # the caller was cancelled; the write was recorded all the same
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
