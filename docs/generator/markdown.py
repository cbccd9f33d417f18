"""Markdown that several pages need."""

from collections.abc import Iterable, Sequence


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table. A vertical bar in a cell is escaped."""
    lines = [headings, ["---"] * len(headings), *([_escape(cell) for cell in row] for row in rows)]
    return "\n".join("|" + "|".join(f" {cell} " if cell else " " for cell in line) + "|" for line in lines)


def _escape(cell: str) -> str:
    return " ".join(cell.split()).replace("|", r"\|")
