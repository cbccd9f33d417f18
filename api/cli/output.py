"""How commands speak: results on standard output, everything else on standard error."""

import json
import sys
import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPED_WIDTH = 240
"""How wide a table may be where there is no terminal to fit it to."""

READABLE = 30
"""How narrow a column of text may become."""

INDENT = "    "


def print_result(line: str = "") -> None:
    """A line of the result."""
    _write(sys.stdout, line)


def print_note(line: str = "") -> None:
    """A line about the result, for a person."""
    _write(sys.stderr, line)


def print_warning(message: str, label: str = "warning") -> None:
    """A warning or an error, one line of it at a time."""
    for line in message.split("\n"):
        _write(sys.stderr, f"{label}: {line}")


def print_json(value: Any) -> None:
    """A result for programs: one JSON document."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, whole: Collection[str] = ()) -> None:
    """A result for people. Nothing in a cell is taken for markup or for a control sequence.

    Cells of the columns in `whole` are never broken over lines. On a terminal too narrow for that, each row is a line
    with those and the others below it.
    """
    shown = [[printable(cell) for cell in row] for row in rows]
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
    if whole and console.width < _least_width(columns, shown, whole):
        _write_blocks(columns, shown, whole, console.width)
        return
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in whole)
    for row in shown:
        table.add_row(*map(Text, row))
    with console.capture() as drawn:  # written by ourselves: where nobody reads on, the console would end the process
        console.print(table)
    sys.stdout.write(drawn.get())
    sys.stdout.flush()


def _least_width(columns: Sequence[str], rows: Sequence[Sequence[str]], whole: Collection[str]) -> int:
    """From how many columns of a terminal on the table can be read."""
    natural = [max(map(cell_len, cells)) for cells in zip(columns, *rows, strict=True)]
    needed = [n if column in whole else min(n, READABLE) for column, n in zip(columns, natural, strict=True)]
    return sum(needed) + 2 * len(columns)


def _write_blocks(columns: Sequence[str], rows: Sequence[Sequence[str]], whole: Collection[str], width: int) -> None:
    for row in rows:
        cells = dict(zip(columns, row, strict=True))
        print_result("  ".join(cells[column] for column in columns if column in whole))
        rest = "; ".join(f"{column.lower()}: {cells[column] or '-'}" for column in columns if column not in whole)
        for line in textwrap.wrap(rest, max(width - len(INDENT), READABLE), break_on_hyphens=False):
            print_result(INDENT + line)


def print_fields(fields: Mapping[str, str]) -> None:
    """Names and values, one a line."""
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        print_result(f"{name:<{width}}  {value}")


def printable(text: str) -> str:
    """The text with control characters made visible: what is recorded must not steer a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)


def format_instant(at: datetime | None) -> str:
    """An instant for people: UTC, to the second; a dash for none."""
    return "-" if at is None else at.strftime("%Y-%m-%d %H:%M:%S UTC")


def _write(stream: Any, line: str) -> None:
    stream.write(printable(line) + "\n")
    stream.flush()
