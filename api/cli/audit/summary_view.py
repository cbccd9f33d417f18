"""How a summary is printed: three sparklines over time, and a table of clients."""

import shutil
from collections.abc import Sequence
from itertools import pairwise

from api.cli.output import format_instant, print_result, print_table
from api.http.audit.documents import SummaryDocument

TEXT_WIDTH = 48
"""Columns of the terminal that the text next to a sparkline needs."""

MIN_SPARKLINE_WIDTH = 12
BARS = "▁▂▃▄▅▆▇█"


def print_summary(summary: SummaryDocument) -> None:
    """Print a summary as wide as the terminal."""
    width = max(shutil.get_terminal_size().columns - TEXT_WIDTH, MIN_SPARKLINE_WIDTH)
    period = f"{format_instant(summary.since)} to {format_instant(summary.until)}"
    print_result(f"{period} by {summary.bucket}, as of position {summary.position}")
    print_result()
    for name in ("issued", "revoked", "active"):
        values = [getattr(bucket, name) for bucket in summary.buckets]
        line = draw_sparkline(resample(values, width, add=name != "active"))
        top = f"at most {max(values, default=0)}"
        if name == "active":
            print_result(f"active   |{line}|  {values[-1] if values else 0} at the end, {top}")
        else:
            print_result(f"{name:<7}  |{line}|  {sum(values)} in total, {top} per {summary.bucket}")
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
