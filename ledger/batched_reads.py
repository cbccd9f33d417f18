"""Batched reads: concurrent look-ups of one process share a query.

A look-up is answered by a query that started after it was asked, never by one already under way, and nothing is kept
once a batch is answered. So it sees everything that was answered, by any process, before it was asked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BatchedReads(Generic[K, V]):
    """Gathers keys while a query runs, then asks for all of them at once."""

    def __init__(self, load: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]], *, max_batch: int = 512) -> None:
        """`load` reads many keys in one query; a key that is absent from its answer does not exist."""
        self._load = load
        self._max_batch = max_batch
        self._asked: dict[K, asyncio.Future[V | None]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def get(self, key: K) -> V | None:
        """The value of a key as of now, or None. Raises what `load` raises."""
        answer = self._asked.get(key)
        if answer is None:
            answer = self._asked[key] = asyncio.get_running_loop().create_future()
            if self._reading is None:
                self._reading = asyncio.create_task(self._read_all())
        # A look-up is shared, so one caller that is cancelled must not cancel it for the others.
        return await asyncio.shield(answer)

    async def _read_all(self) -> None:
        try:
            while self._asked:
                batch = self._take()
                try:
                    found = await self._load(list(batch))
                except Exception as error:  # noqa: BLE001 (every caller of the batch must hear of it)
                    _fail(batch, error)
                else:
                    for key, answer in batch.items():
                        answer.set_result(found.get(key))
        finally:
            self._reading = None

    def _take(self) -> dict[K, asyncio.Future[V | None]]:
        if len(self._asked) <= self._max_batch:
            batch, self._asked = self._asked, {}
            return batch
        return {key: self._asked.pop(key) for key in list(self._asked)[: self._max_batch]}


def _fail(batch: Mapping[K, asyncio.Future[V | None]], error: Exception) -> None:
    for answer in batch.values():
        answer.set_exception(error)
        answer.exception()  # asked for, so that a look-up whose callers all left is not reported as forgotten
