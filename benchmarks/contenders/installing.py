"""Installing a contender once for each state of the file that pins it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def installing(folder: Path, pins: Path) -> Iterator[bool]:
    """Whether it has still to be installed into the folder: what came to its end with these pins is not done again."""
    mark, wanted = folder / "installed", pins.read_bytes()
    needed = not mark.exists() or mark.read_bytes() != wanted
    if needed:
        mark.unlink(missing_ok=True)
    yield needed
    mark.write_bytes(wanted)
