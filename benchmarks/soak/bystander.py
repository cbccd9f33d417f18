"""A bystander who flushes a page to the same disk, and knows nothing of the service.

Where it waits, whoever commits waits: the disk is what is slow then, not the service.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.meanwhile import meanwhile

PAGE = bytes(8192)
EVERY_SECONDS = 0.1


class Bystander:
    """Flushes until that is enough, and knows how long it took."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._slowest = 0.0

    def take(self) -> float:
        """The longest flush since this was last called, in milliseconds."""
        taken, self._slowest = self._slowest, 0.0
        return taken

    def run(self, enough: threading.Event) -> None:
        """Write the page and flush it, again and again."""
        descriptor = os.open(self._file, os.O_CREAT | os.O_WRONLY)
        try:
            while not enough.wait(EVERY_SECONDS):
                begun = time.perf_counter()
                os.pwrite(descriptor, PAGE, 0)
                os.fdatasync(descriptor)
                self._slowest = max(self._slowest, (time.perf_counter() - begun) * 1000)
        finally:
            os.close(descriptor)


@contextmanager
def bystander(folder: Path) -> Iterator[Bystander]:
    """Within, somebody flushes a file in this folder."""
    somebody = Bystander(folder / "bystander")
    with meanwhile(somebody.run):
        yield somebody
