"""A summary for people: what happened over time in three lines, and a table of clients."""

import shutil
from collections.abc import Sequence

from api.cli.audit.sparkline import narrowed, sparkline
from api.cli.output import format_instant, print_result, print_table
from api.http.audit.documents import SummaryDocument

BESIDE_THE_LINE = 48
"""Columns of the terminal that are for words."""

LEAST = 12


def show_summary(summary: SummaryDocument) -> None:
    """Print it, as wide as the terminal is."""
    width = max(shutil.get_terminal_size().columns - BESIDE_THE_LINE, LEAST)
    period = f"{format_instant(summary.since)} to {format_instant(summary.until)}"
    print_result(f"{period} by {summary.bucket}, as of position {summary.position}")
    print_result()
    for line in chart(summary, width):
        print_result(line)
    print_result()
    print_table(
        ("CLIENT", "ISSUED", "REVOKED", "ACTIVE"),
        [(c.client_id, str(c.issued), str(c.revoked), str(c.active)) for c in summary.clients],
    )


def chart(summary: SummaryDocument, width: int) -> Sequence[str]:
    """Issued, revoked and active over time, each to its own scale."""
    issued = [bucket.issued for bucket in summary.buckets]
    revoked = [bucket.revoked for bucket in summary.buckets]
    active = [bucket.active for bucket in summary.buckets]
    each = f"{'an' if summary.bucket == 'hour' else 'a'} {summary.bucket}"
    at_the_end = active[-1] if active else 0
    return (
        f"issued   {_line(issued, width, add=True)}  {sum(issued)} in all, at most {_most(issued)} {each}",
        f"revoked  {_line(revoked, width, add=True)}  {sum(revoked)} in all, at most {_most(revoked)} {each}",
        f"active   {_line(active, width, add=False)}  {at_the_end} at the end, at most {_most(active)}",
    )


def _line(values: Sequence[int], width: int, *, add: bool) -> str:
    return f"|{sparkline(narrowed(values, width, add=add))}|"


def _most(values: Sequence[int]) -> int:
    return max(values, default=0)
