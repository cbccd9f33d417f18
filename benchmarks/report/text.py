"""The text of the report: named paragraphs from files, numbers, and Markdown tables."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

MAX_REASON_LENGTH = 400
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)


def parse_sections(text: str) -> dict[str, str]:
    """Return the text below each heading of level 2; text before the first heading is ignored."""
    _, *parts = _HEADING.split(text)
    return {name.strip(): body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}


_PARAGRAPHS: Mapping[str, str] = parse_sections(Path(__file__).with_name("paragraphs.txt").read_text(encoding="utf-8"))


def paragraph(name: str, **values: object) -> str:
    """Return a paragraph of paragraphs.txt with values inserted."""
    return _PARAGRAPHS[name].format(**values)


def count(value: float) -> str:
    return f"{value:,.0f}"


def spread(values: Sequence[float]) -> str:
    """Return the median, and minimum and maximum if there are several values."""
    middle, least, most = (f"{value:,.0f}" for value in (median(values), min(values), max(values)))
    return f"{middle} ({least} - {most})" if len(values) > 1 else middle


def milliseconds(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def one_line(reason: str) -> str:
    """Shorten a reason, which may be the end of a log, to one line."""
    line = " ".join(reason.split())
    return line if len(line) <= MAX_REASON_LENGTH else f"{line[:MAX_REASON_LENGTH]} …"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, words: int = 1) -> list[str]:
    """Return a Markdown table. The first `words` columns contain words, the others numbers."""
    line = [" --- " if column < words else " ---: " for column in range(len(header))]
    return [f"| {' | '.join(header)} |", f"|{'|'.join(line)}|", *(f"| {' | '.join(row)} |" for row in rows)]
