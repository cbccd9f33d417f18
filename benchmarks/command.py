"""What the commands of the benchmarks have in common: a folder, a short form, and why there is no measurement."""

import argparse
import functools
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.cannot_measure import CannotMeasure
from benchmarks.contenders.contender import CannotHave

Main = Callable[[Sequence[str] | None], int]


def benchmark(main: Main) -> Callable[..., int]:
    """A command that says why there is no measurement, and then ends with 1."""

    @functools.wraps(main)
    def answering(arguments: Sequence[str] | None = None) -> int:
        try:
            return main(arguments)
        except (CannotMeasure, CannotHave) as reason:
            print(f"No measurement: {reason}", file=sys.stderr)
            return 1

    return answering


@contextmanager
def passing_folder(within: Path | None = None) -> Iterator[Path]:
    """A folder that is gone afterwards; in the temporary folder, unless it is to be in another."""
    with tempfile.TemporaryDirectory(prefix="token-ledger-benchmark-", dir=within) as name:
        yield Path(name)


def options_of(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None, *, short: Mapping[str, Any]
) -> argparse.Namespace:
    """What was asked for. With --short these are the defaults; what is asked for by name still holds."""
    parser.add_argument("--short", action="store_true", help="a look in a few minutes; its numbers say little")
    options = parser.parse_args(arguments)
    if options.short:
        parser.set_defaults(**short)
        options = parser.parse_args(arguments)
    return options
