"""Flushes a page to the same disk as the database, independently of the service.

When its flushes are slow, commits are slow too, and the cause is the disk, not the service.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.background import run_in_background

PAGE = bytes(8192)
INTERVAL_SECONDS = 0.1


class DiskProbe:
    """Flushes repeatedly, and records the longest flush."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._slowest = 0.0

    def take(self) -> float:
        """Return the longest flush since the last call, in milliseconds."""
        taken, self._slowest = self._slowest, 0.0
        return taken

    def run(self, stop: threading.Event) -> None:
        descriptor = os.open(self._file, os.O_CREAT | os.O_WRONLY)
        try:
            while not stop.wait(INTERVAL_SECONDS):
                begun = time.perf_counter()
                os.pwrite(descriptor, PAGE, 0)
                os.fdatasync(descriptor)
                self._slowest = max(self._slowest, (time.perf_counter() - begun) * 1000)
        finally:
            os.close(descriptor)


@contextmanager
def probe_disk(folder: Path) -> Iterator[DiskProbe]:
    probe = DiskProbe(folder / "disk_probe")
    with run_in_background(probe.run):
        yield probe
