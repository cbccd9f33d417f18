"""How numbers are written."""

from collections.abc import Sequence
from statistics import median

LONGEST_REASON = 400


def count(value: float) -> str:
    """A whole number."""
    return f"{value:,.0f}"


def spread(values: Sequence[float], digits: int = 0) -> str:
    """The median, with the least and the most."""
    middle, least, most = (f"{value:,.{digits}f}" for value in (median(values), min(values), max(values)))
    return f"{middle} ({least} - {most})" if len(values) > 1 else middle


def milliseconds(value: float) -> str:
    """Three significant digits or so."""
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def sentence(reason: str) -> str:
    """A reason that may be the end of a log, in one line."""
    line = " ".join(reason.split())
    return line if len(line) <= LONGEST_REASON else f"{line[:LONGEST_REASON]} …"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, words: int = 1) -> list[str]:
    """Of Markdown. The first `words` columns hold words, the others numbers."""
    line = [" --- " if column < words else " ---: " for column in range(len(header))]
    return [f"| {' | '.join(header)} |", f"|{'|'.join(line)}|", *(f"| {' | '.join(row)} |" for row in rows)]
