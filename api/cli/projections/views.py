"""What operators see of projections: a table that fits a terminal, or JSON, once or again and again."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any

import msgspec
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from api.cli.output import format_instant, print_json, print_result, printable
from ledger.domain.errors import Unavailable
from projections.following.status import EventRates, ProjectionStatus

Look = Callable[[], Awaitable[Sequence[ProjectionStatus]]]

WATCH_SECONDS = 1.0
COLUMNS = ("LOG", "PROJECTION", "VERSION", "MODE", "STATE", "POSITION", "HEAD", "LAG", "BEHIND", "RATE", "HOLDER")
RIGHT = frozenset({"VERSION", "POSITION", "HEAD", "LAG", "BEHIND", "RATE"})
STYLES = {"live": "green", "stopped": "bold red", "stale": "bold red", "not followed": "yellow"}

Rated = Sequence[tuple[ProjectionStatus, float | None]]
"""Statuses with events a second."""


async def show_statuses(look: Look, pause: float, *, json: bool) -> bool:
    """Show how the projections are, after a second look for the rates; returns whether one needs a person."""
    rates = EventRates()
    rates.update(await look())
    await asyncio.sleep(pause)
    rated = _rated(rates, await look())
    if json:
        print_json(_document(rated))
    else:
        _console().print(_page(rated))
    return any(status.is_stalled for status, _ in rated)


async def watch_statuses(look: Look, *, json: bool) -> None:
    """Show them again and again until cancelled: in place on a terminal, else one after the other."""
    rates = EventRates()
    if json or not sys.stdout.isatty():
        async for rated in _looks(rates, look):
            if isinstance(rated, Unavailable):
                print_result(_line({"unavailable": str(rated)}) if json else str(rated))
            elif json:
                print_result(_line(_document(rated)))
            else:
                _console().print(_page(rated), "")
        return
    with Live(console=_console(), auto_refresh=False, transient=False) as live:
        async for rated in _looks(rates, look):
            shown = Text(str(rated), "bold red") if isinstance(rated, Unavailable) else _page(rated)
            live.update(shown, refresh=True)


async def _looks(rates: EventRates, look: Look) -> AsyncIterator[Rated | Unavailable]:
    while True:
        try:
            yield _rated(rates, await look())
        except Unavailable as error:  # whoever watches wants to see it come back
            yield error
        await asyncio.sleep(WATCH_SECONDS)


def _rated(rates: EventRates, statuses: Sequence[ProjectionStatus]) -> Rated:
    found = rates.update(statuses)
    return [(status, found[status.log, status.projection]) for status in statuses]


def _document(rated: Rated) -> dict[str, Any]:
    return {
        "stalled": any(status.is_stalled for status, _ in rated),
        "projections": [
            msgspec.to_builtins(status) | {"rate": None if rate is None else round(rate, 1)} for status, rate in rated
        ],
    }


def _line(document: dict[str, Any]) -> str:
    return msgspec.json.encode(document).decode()


def _page(rated: Rated) -> Group:
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for column in COLUMNS:
        table.add_column(column, overflow="fold", justify="right" if column in RIGHT else "left")
    for status, rate in rated:
        table.add_row(*_cells(status, rate))
    remarks = [remark for status, _ in rated for remark in _remarks(status)]
    return Group(table, *([Text()] if remarks else []), *(Text(printable(remark)) for remark in remarks))


def _cells(status: ProjectionStatus, rate: float | None) -> Iterator[Text]:
    yield Text(status.log)
    yield Text(status.projection)
    yield Text("-" if status.version is None else str(status.version))
    yield Text(status.mode)
    yield Text(status.state, STYLES.get(status.state, ""))
    yield Text(f"{status.position:,}")
    yield Text(f"{status.head:,}")
    yield Text(f"{status.lag_events:,}")
    yield Text(duration(status.lag_seconds))
    yield Text("-" if rate is None else f"{rate:,.0f}/s")
    yield Text(printable(status.holder or ("every writer" if status.mode == "inline" else "-")))


def _remarks(status: ProjectionStatus) -> Iterator[str]:
    """A sentence for everything that does not fit a cell."""
    which = f"{status.projection} of log {status.log!r}"
    if (stopped := status.stopped) is not None:
        yield f"{which} is stopped at position {stopped.position}, {stopped.topic}: {stopped.error}"
    if status.state == "stale":
        yield (
            f"{which} has rows of version {status.version}, this release reads and writes version "
            f"{status.expected_version}: it is to be rebuilt"
        )
    if (build := status.build) is not None:
        yield (
            f"{status.projection} is being built, version {build.version}: {build.state}, at position "
            f"{build.position:,} of {status.head:,} of log {status.log!r}, by {build.holder}, "
            f"since {format_instant(build.started_at)}"
        )
    for skip in status.skips:
        yield (
            f"{which} passes over position {skip.position}, {skip.topic}, since {format_instant(skip.skipped_at)} "
            f"by {skip.actor}: {skip.reason} (it failed with: {skip.error or 'no message'})"
        )


def duration(seconds: float) -> str:
    """A length of time in the two units that matter."""
    if seconds < 60:  # noqa: PLR2004 (a minute)
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"  # noqa: PLR2004
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _console() -> Console:
    return Console(highlight=False, width=None if sys.stdout.isatty() else 240)
