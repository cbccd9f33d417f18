"""Signals that arrive before the server handles them: recorded at once, acted on between steps."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StoppedDuringStartUp(Exception):
    """A signal asked the process to stop before it served."""


class StartUpSignals:
    """Records a stop signal from the first step of start-up until the server takes over.

    A signal handler that raises could interrupt any code, such as the creation of an event loop, and leave it half
    done. So the handler only records the signal: steps call `check`, and `run` cancels what it awaits. A second signal
    raises KeyboardInterrupt, because a step may hang.
    """

    def __init__(self) -> None:
        self.stop_requested = False
        self._cancel: Callable[[], object] | None = None

    def handle_signals(self) -> None:
        """Install the handlers, until the server installs its own."""
        for number in SIGNALS:
            signal.signal(number, self._record)

    def ignore_signals(self) -> None:
        """Ignore signals from now on, so that nothing interrupts the clean-up."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def check(self) -> None:
        """Raise StoppedDuringStartUp if a signal has arrived."""
        if self.stop_requested:
            raise StoppedDuringStartUp

    def run(self, step: Callable[[], Awaitable[T]]) -> T:
        """Run a step in a new event loop. Raises StoppedDuringStartUp when a signal arrives before it ends."""
        self.check()
        with asyncio.Runner() as runner:
            return runner.run(self._run_until_signal(step))

    async def _run_until_signal(self, step: Callable[[], Awaitable[T]]) -> T:
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

    def _record(self, _number: int, _frame: object) -> None:
        if self.stop_requested:
            raise KeyboardInterrupt
        self.stop_requested = True
        if self._cancel is not None:
            self._cancel()
