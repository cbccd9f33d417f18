"""How a summary is printed: three sparklines over time, and a table of clients."""

import shutil
from collections.abc import Sequence
from itertools import pairwise

from api.cli.output import format_instant, print_result, print_table
from api.http.audit.documents import SummaryDocument

TEXT_WIDTH = 48
"""Columns of the terminal that the text beside a sparkline needs."""

MIN_SPARKLINE_WIDTH = 12
BARS = "▁▂▃▄▅▆▇█"


def print_summary(summary: SummaryDocument) -> None:
    """Print a summary as wide as the terminal."""
    width = max(shutil.get_terminal_size().columns - TEXT_WIDTH, MIN_SPARKLINE_WIDTH)
    period = f"{format_instant(summary.since)} to {format_instant(summary.until)}"
    print_result(f"{period} by {summary.bucket}, as of position {summary.position}")
    print_result()
    for line in _chart(summary, width):
        print_result(line)
    print_result()
    print_table(
        ("CLIENT", "ISSUED", "REVOKED", "ACTIVE"),
        [(c.client_id, str(c.issued), str(c.revoked), str(c.active)) for c in summary.clients],
    )


def draw_sparkline(values: Sequence[int]) -> str:
    """Draw one bar per value, in eight heights up to the maximum; only zero is blank."""
    top = max(values, default=0)
    return "".join(BARS[max(0, -(-value * len(BARS) // top) - 1)] if value > 0 else " " for value in values)


def resample(values: Sequence[int], width: int, *, add: bool) -> list[int]:
    """Reduce to at most `width` values: the sum, or the last, of each group of neighbours."""
    if len(values) <= width:
        return list(values)
    edges = [len(values) * step // width for step in range(width + 1)]
    groups = [values[start:end] for start, end in pairwise(edges)]
    return [sum(group) if add else group[-1] for group in groups]


def _chart(summary: SummaryDocument, width: int) -> Sequence[str]:
    issued = [bucket.issued for bucket in summary.buckets]
    revoked = [bucket.revoked for bucket in summary.buckets]
    active = [bucket.active for bucket in summary.buckets]
    unit, last = summary.bucket, active[-1] if active else 0
    return (
        f"issued   {_line(issued, width, add=True)}  {sum(issued)} in total, at most {_top(issued)} per {unit}",
        f"revoked  {_line(revoked, width, add=True)}  {sum(revoked)} in total, at most {_top(revoked)} per {unit}",
        f"active   {_line(active, width, add=False)}  {last} at the end, at most {_top(active)}",
    )


def _line(values: Sequence[int], width: int, *, add: bool) -> str:
    return f"|{draw_sparkline(resample(values, width, add=add))}|"


def _top(values: Sequence[int]) -> int:
    return max(values, default=0)
