"""How commands speak: results on standard output, everything else on standard error."""

import json
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPED_WIDTH = 240
"""How wide a table may be where there is no terminal to fit it to."""


def say(line: str = "") -> None:
    """A line of the result."""
    _write(sys.stdout, line)


def tell(line: str = "") -> None:
    """A line about the result, for a person."""
    _write(sys.stderr, line)


def warn(message: str, label: str = "warning") -> None:
    """A warning or an error, one line of it at a time."""
    for line in message.split("\n"):
        _write(sys.stderr, f"{label}: {line}")


def as_json(value: Any) -> None:
    """A result for programs: one JSON document."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def as_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, whole: Collection[str] = ()) -> None:
    """A result for people. Nothing in a cell is taken for markup or for a control sequence.

    Cells of the columns in `whole` are never broken over lines, so that they can be copied.
    """
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in whole)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
    with console.capture() as drawn:  # written by ourselves: where nobody reads on, the console would end the process
        console.print(table)
    sys.stdout.write(drawn.get())
    sys.stdout.flush()


def as_fields(fields: Mapping[str, str]) -> None:
    """Names and values, one a line."""
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        say(f"{name:<{width}}  {value}")


def printable(text: str) -> str:
    """The text with control characters made visible: what is recorded must not steer a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)


def instant(at: datetime | None) -> str:
    """An instant for people: UTC, to the second; a dash for none."""
    return "-" if at is None else at.strftime("%Y-%m-%d %H:%M:%S UTC")


def _write(stream: Any, line: str) -> None:
    stream.write(printable(line) + "\n")
    stream.flush()
