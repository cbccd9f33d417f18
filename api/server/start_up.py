"""Signals that come before the server handles them: noted at once, acted on where nothing is half done."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StoppedEarly(Exception):
    """The process was asked to stop before it served."""


class StartUp:
    """From the first step to the server. A signal to stop is noted.

    An exception raised by a signal handler would come anywhere, also in the middle of making an event loop, and leave
    that half made. So steps call `check`, and what is awaited in `run` is cancelled. A second signal does interrupt: a
    step may hang.
    """

    def __init__(self) -> None:
        self.asked_to_stop = False
        self._cancel: Callable[[], object] | None = None

    def note_signals(self) -> None:
        """From here on, until the server handles them."""
        for number in SIGNALS:
            signal.signal(number, self._note)

    def ignore_signals(self) -> None:
        """From here on: nothing may keep what was started from being stopped."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def check(self) -> None:
        """Raises StoppedEarly when a signal has come."""
        if self.asked_to_stop:
            raise StoppedEarly

    def run(self, step: Callable[[], Awaitable[T]]) -> T:
        """Do a step on an event loop of its own. Raises StoppedEarly when a signal comes before its end."""
        self.check()
        with asyncio.Runner() as runner:
            return runner.run(self._until_asked(step))

    async def _until_asked(self, step: Callable[[], Awaitable[T]]) -> T:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
        try:
            self.check()
            return await step()
        except asyncio.CancelledError:
            self.check()
            raise
        finally:
            self._cancel = None

    def _note(self, _number: int, _frame: object) -> None:
        if self.asked_to_stop:
            raise KeyboardInterrupt
        self.asked_to_stop = True
        if self._cancel is not None:
            self._cancel()
