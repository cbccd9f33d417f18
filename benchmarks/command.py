"""What the benchmark commands share: progress output, a temporary folder, a short form, and errors."""

import argparse
import functools
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.errors import ContenderUnavailable, MeasurementError

Main = Callable[[Sequence[str] | None], int]


def benchmark(main: Main) -> Callable[..., int]:
    """Decorate a command so that it prints why a measurement is not possible, and then returns 1."""

    @functools.wraps(main)
    def run(arguments: Sequence[str] | None = None) -> int:
        try:
            return main(arguments)
        except (MeasurementError, ContenderUnavailable) as reason:
            print(f"No measurement: {reason}", file=sys.stderr)
            return 1

    return run


def log_progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def temporary_folder(parent: Path | None = None) -> Iterator[Path]:
    """Create a folder, by default below the system's temporary folder, and remove it in the end."""
    with tempfile.TemporaryDirectory(prefix="token-ledger-benchmark-", dir=parent, ignore_cleanup_errors=True) as name:
        yield Path(name)


def parse_options(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None, *, short: Mapping[str, Any]
) -> argparse.Namespace:
    """Parse arguments; with --short the defaults are those of `short`."""
    parser.add_argument("--short", action="store_true", help="a quick run; its numbers mean little")
    options = parser.parse_args(arguments)
    if options.short:
        parser.set_defaults(**short)
        options = parser.parse_args(arguments)
    return options
