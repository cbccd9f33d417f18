"""How the status of projections is printed: a table or JSON, once or repeatedly."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any

import msgspec
from rich.console import Group
from rich.live import Live
from rich.text import Text

from api.cli.output import format_instant, make_console, make_printable, make_table, print_json, print_result
from ledger.domain.errors import Unavailable
from projections.following.status import EventRates, ProjectionStatus

ReadStatuses = Callable[[], Awaitable[Sequence[ProjectionStatus]]]
RatedStatuses = Sequence[tuple[ProjectionStatus, float | None]]
"""Statuses with their rates, in events per second."""

WATCH_INTERVAL_SECONDS = 1.0
COLUMNS = ("LOG", "PROJECTION", "VERSION", "MODE", "STATE", "POSITION", "HEAD", "LAG", "DELAY", "RATE", "HOLDER")
RIGHT_ALIGNED = frozenset({"VERSION", "POSITION", "HEAD", "LAG", "DELAY", "RATE"})
STYLES = {"live": "green", "stopped": "bold red", "stale": "bold red", "not followed": "yellow"}


async def print_statuses(read: ReadStatuses, interval: float, *, json: bool) -> bool:
    """Print the statuses, read twice to compute rates; returns whether one needs an operator."""
    rates = EventRates()
    rates.update(await read())
    await asyncio.sleep(interval)
    rated = _add_rates(rates, await read())
    if json:
        print_json(_document(rated))
    else:
        make_console().print(_render(rated))
    return any(status.is_stalled for status, _ in rated)


async def watch_statuses(read: ReadStatuses, *, json: bool) -> None:
    """Print the statuses every second until cancelled: in place on a terminal, else one after the other."""
    console = make_console()
    if json:
        async for document, _ in _poll(read):
            print_result(msgspec.json.encode(document).decode())
    elif console.is_terminal:
        with Live(console=console, auto_refresh=False, transient=False) as live:
            async for _, shown in _poll(read):
                live.update(shown, refresh=True)
    else:
        async for _, shown in _poll(read):
            console.print(shown, "")


async def _poll(read: ReadStatuses) -> AsyncIterator[tuple[dict[str, Any], Group | Text]]:
    """Yield each reading as JSON and as text; while the database is unavailable, the error."""
    rates = EventRates()
    while True:
        try:
            rated = _add_rates(rates, await read())
            yield _document(rated), _render(rated)
        except Unavailable as error:
            yield {"unavailable": str(error)}, Text(make_printable(str(error)), "bold red")
        await asyncio.sleep(WATCH_INTERVAL_SECONDS)


def _add_rates(rates: EventRates, statuses: Sequence[ProjectionStatus]) -> RatedStatuses:
    found = rates.update(statuses)
    return [(status, found[status.log, status.projection]) for status in statuses]


def _document(rated: RatedStatuses) -> dict[str, Any]:
    return {
        "stalled": any(status.is_stalled for status, _ in rated),
        "projections": [
            msgspec.to_builtins(status) | {"rate": None if rate is None else round(rate, 1)} for status, rate in rated
        ],
    }


def _render(rated: RatedStatuses) -> Group:
    table = make_table(COLUMNS, [_cells(status, rate) for status, rate in rated], right_aligned=RIGHT_ALIGNED)
    remarks = [remark for status, _ in rated for remark in _remarks(status)]
    return Group(table, *([Text()] if remarks else []), *(Text(make_printable(remark)) for remark in remarks))


def _cells(status: ProjectionStatus, rate: float | None) -> list[Text]:
    holder = status.holder or ("every writer" if status.mode == "inline" else "-")
    version = "-" if status.version is None else str(status.version)
    state = Text(status.state, STYLES.get(status.state, ""))
    counts = [f"{count:,}" for count in (status.position, status.head, status.lag_events)]
    pace = [format_duration(status.lag_seconds), "-" if rate is None else f"{rate:,.0f}/s"]
    before, after = [status.log, status.projection, version, status.mode], [*counts, *pace, make_printable(holder)]
    return [*map(Text, before), state, *map(Text, after)]


def _remarks(status: ProjectionStatus) -> Iterator[str]:
    """Yield a sentence for everything that does not fit a cell."""
    which = f"{status.projection} of log {status.log!r}"
    if (stopped := status.stopped) is not None:
        yield f"{which} is stopped at position {stopped.position}, {stopped.topic}: {stopped.error}"
    if status.state == "stale":
        yield (
            f"{which} has rows of version {status.version}, but this release needs version "
            f"{status.expected_version}: rebuild it"
        )
    if (build := status.build) is not None:
        yield (
            f"version {build.version} of {status.projection} is {build.state} at position {build.position:,} of "
            f"{status.head:,} of log {status.log!r}, by {build.holder}, since {format_instant(build.started_at)}"
        )
    for skip in status.skips:
        yield (
            f"{which} skips position {skip.position}, {skip.topic}, since {format_instant(skip.skipped_at)} "
            f"by {skip.actor}: {skip.reason} (it failed with: {skip.error or 'no message'})"
        )


def format_duration(seconds: float) -> str:
    """Format a duration in its two largest units."""
    if seconds < 60:  # noqa: PLR2004 (a minute)
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"  # noqa: PLR2004
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
