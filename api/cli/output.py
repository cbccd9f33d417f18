"""Print results on standard output, and notes, warnings and errors on standard error."""

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
"""The width of a table, in columns, when standard output is not a terminal."""

MIN_TEXT_WIDTH = 30
"""A column of text is not made narrower than this, in columns of the terminal."""

INDENT = "    "


def print_result(line: str = "") -> None:
    """Print a line of the result."""
    _write(sys.stdout, line)


def print_note(line: str = "") -> None:
    """Print a line about the result on standard error."""
    _write(sys.stderr, line)


def print_warning(message: str, label: str = "warning") -> None:
    """Print a warning or an error on standard error, with the label before each line."""
    for line in message.split("\n"):
        _write(sys.stderr, f"{label}: {line}")


def print_json(value: Any) -> None:
    """Print a result as one JSON document."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, unbroken: Collection[str] = ()) -> None:
    """Print a table. Cells are printed literally: neither markup nor control sequences take effect.

    Cells of `unbroken` columns are never wrapped. On a terminal too narrow for them, each row becomes a line with these
    cells, followed by indented lines with the others.
    """
    shown = [[make_printable(cell) for cell in row] for row in rows]
    console = make_console()
    if unbroken and console.width < _find_min_width(columns, shown, unbroken):
        _write_blocks(columns, shown, unbroken, console.width)
        return
    table = make_table(columns, [map(Text, row) for row in shown], unbroken=unbroken)
    with console.capture() as drawn:  # written below, because the console would exit on a broken pipe
        console.print(table)
    sys.stdout.write(drawn.get())
    sys.stdout.flush()


def make_table(
    columns: Sequence[str],
    rows: Iterable[Iterable[Text]],
    *,
    unbroken: Collection[str] = (),
    right_aligned: Collection[str] = (),
) -> Table:
    """Make a table without lines. Cells that are wider than their column are folded."""
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for column in columns:
        justify: Any = "right" if column in right_aligned else "left"
        table.add_column(column, overflow="fold", no_wrap=column in unbroken, justify=justify)
    for row in rows:
        table.add_row(*row)
    return table


def make_console() -> Console:
    """Make a console on standard output, as wide as the terminal, or wide enough not to wrap when piped."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)


def print_fields(fields: Mapping[str, str]) -> None:
    """Print one name and value per line."""
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        print_result(f"{name:<{width}}  {value}")


def make_printable(text: str) -> str:
    """Escape control characters, so that recorded text cannot control the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)


def format_instant(at: datetime | None) -> str:
    """Format an instant in UTC, to the second; None is a dash."""
    return "-" if at is None else at.strftime("%Y-%m-%d %H:%M:%S UTC")


def _find_min_width(columns: Sequence[str], rows: Sequence[Sequence[str]], unbroken: Collection[str]) -> int:
    natural = [max(map(cell_len, cells)) for cells in zip(columns, *rows, strict=True)]
    needed = [n if column in unbroken else min(n, MIN_TEXT_WIDTH) for column, n in zip(columns, natural, strict=True)]
    return sum(needed) + 2 * len(columns)


def _write_blocks(columns: Sequence[str], rows: Sequence[Sequence[str]], unbroken: Collection[str], width: int) -> None:
    for row in rows:
        cells = dict(zip(columns, row, strict=True))
        print_result("  ".join(cells[column] for column in columns if column in unbroken))
        rest = "; ".join(f"{column.lower()}: {cells[column] or '-'}" for column in columns if column not in unbroken)
        for line in textwrap.wrap(rest, max(width - len(INDENT), MIN_TEXT_WIDTH), break_on_hyphens=False):
            print_result(INDENT + line)


def _write(stream: Any, line: str) -> None:
    stream.write(make_printable(line) + "\n")
    stream.flush()
