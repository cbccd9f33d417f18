"""Installs a contender once for each state of its lock file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def install_once(folder: Path, lock: Path) -> Iterator[bool]:
    """Yield whether the caller must install; a completed installation with the same lock is not repeated."""
    marker, wanted = folder / "installed", lock.read_bytes()
    needed = not marker.exists() or marker.read_bytes() != wanted
    if needed:
        marker.unlink(missing_ok=True)
    yield needed
    marker.write_bytes(wanted)
