"""Batched reads: concurrent look-ups of one process share a query.

A look-up is served by a query that starts after `load` was called, never by one already running, and results are not
cached. So it sees everything that any process had acknowledged before the call.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BatchLoader(Generic[K, V]):
    """Collects keys while a query runs, then reads all of them in the next one."""

    def __init__(self, read: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]], *, max_batch: int = 512) -> None:
        """`read` reads many keys in one query and leaves out those that do not exist."""
        self._read = read
        self._max_batch = max_batch
        self._pending: dict[K, list[asyncio.Future[V | None]]] = {}
        self._reading: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def load(self, key: K) -> "asyncio.Future[V | None]":
        """Queue a key at once. The future has its value, None, or the error of `read`, and need not be awaited."""
        # A loader stays with its first event loop, as its connections do. asyncio.get_running_loop is a system call.
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        future: asyncio.Future[V | None] = loop.create_future()
        self._pending.setdefault(key, []).append(future)
        if self._reading is None:
            self._reading = loop.create_task(self._read_pending())
        return future

    async def _read_pending(self) -> None:
        try:
            while self._pending:
                batch = self._take_batch()
                try:
                    found = await self._read(list(batch))
                except Exception as error:  # noqa: BLE001 (every caller of the batch must get it)
                    for futures in batch.values():
                        _fail(futures, error)
                else:
                    for key, futures in batch.items():
                        _resolve(futures, found.get(key))
        finally:
            self._reading = None

    def _take_batch(self) -> dict[K, list[asyncio.Future[V | None]]]:
        if len(self._pending) <= self._max_batch:
            batch, self._pending = self._pending, {}
            return batch
        return {key: self._pending.pop(key) for key in list(self._pending)[: self._max_batch]}


# The future of a cancelled caller is done already.


def _resolve(futures: list[asyncio.Future[V | None]], value: V | None) -> None:
    for future in futures:
        if not future.done():
            future.set_result(value)


def _fail(futures: list[asyncio.Future[V | None]], error: Exception) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)
            future.exception()  # marks it as retrieved, so that asyncio does not report one that is never awaited
