"""The report of a soak: the first minutes against the last, with and without the sweep, and checks."""

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from heapq import nlargest
from typing import Any

from benchmarks.soak.load import KINDS, percentile
from benchmarks.soak.samples import BOUNDED, WATCHED, Interval, LatencySummary, Sample

MAX_GROWTH, MAX_SLOWDOWN = 1.2, 1.25
"""How much larger a bounded table, and how much longer the p99, may be at the end."""

MAX_SENDER_LATE_MS = 10.0
"""If the sender's p99 lateness is larger, latencies are not those of the service."""

WINDOW_SECONDS = 300.0
SLOWEST_INTERVALS = 10


@dataclass
class Result:
    settings: dict[str, Any]
    soak: list[Interval]
    with_sweep: list[Interval] = field(default_factory=list)
    without_sweep: list[Interval] = field(default_factory=list)

    @property
    def warm_up(self) -> float:
        """Seconds until tables reach a steady state: a token's lifetime, the sweep time and a round of autovacuum."""
        return float(self.settings["lifetime"] + self.settings["sweep_seconds"] + 60)

    def windows(self) -> tuple[list[Interval], list[Interval]]:
        """Return the first minutes after the warm-up, and the last minutes of the same length."""
        end = self.soak[-1].sample.seconds
        warm_up = min(self.warm_up, end / 2)
        length = min(WINDOW_SECONDS, (end - warm_up) / 2)
        first = [taken for taken in self.soak if warm_up < taken.sample.seconds <= warm_up + length]
        last = [taken for taken in self.soak if taken.sample.seconds > end - length]
        return first, last

    def checks(self) -> list[tuple[str, bool]]:
        """Return each condition and whether it held."""
        first, last = self.windows()
        everything = [*self.soak, *self.with_sweep, *self.without_sweep]
        found = [
            (f"{name} did not grow", _largest(last, name) <= MAX_GROWTH * _largest(first, name)) for name in BOUNDED
        ]
        found.append(("the p99 did not grow", p99(last) <= MAX_SLOWDOWN * p99(first)))
        found.append(
            ("the p99 of the median interval did not grow", _usual_p99(last) <= MAX_SLOWDOWN * _usual_p99(first))
        )
        if self.with_sweep:
            held = p99(self.with_sweep) <= MAX_SLOWDOWN * p99(self.without_sweep)
            found.append(("the sweep does not lengthen the p99", held))
        found += [
            ("every request succeeded", not sum(taken.sample.failed for taken in everything)),
            ("every introspection was correct", not sum(taken.sample.wrong for taken in everything)),
            ("the sender was on time", _late(last) <= MAX_SENDER_LATE_MS),
        ]
        return found


def merged(taken: Sequence[Interval], kind: str = "all") -> list[float]:
    return [ms for one in taken for ms in (one.latencies.all if kind == "all" else one.latencies.of[kind])]


def p99(taken: Sequence[Interval], kind: str = "all") -> float:
    return percentile(merged(taken, kind), 0.99)


def _usual_p99(taken: Sequence[Interval]) -> float:
    """Return the median of the intervals' p99, which a few stalls of the disk do not change."""
    return percentile([one.sample.requests["all"].p99 for one in taken], 0.5)


def _largest(taken: Sequence[Interval], name: str) -> int:
    """Return the maximum size with indexes."""
    return max(one.sample.tables[name].bytes + one.sample.tables[name].index_bytes for one in taken)


def as_document(result: Result) -> dict[str, Any]:
    """Return every sample, for JSON."""
    first, last = result.windows()
    return {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": describe_machine(),
        "settings": result.settings,
        "verdict": [{"what": what, "held": held} for what, held in result.checks()],
        "windows": {"first": _span(first), "last": _span(last)},
        "soak": [asdict(taken.sample) for taken in result.soak],
        "with_sweep": [asdict(taken.sample) for taken in result.with_sweep],
        "without_sweep": [asdict(taken.sample) for taken in result.without_sweep],
    }


def as_markdown(result: Result) -> str:
    first, last = result.windows()
    settings = result.settings
    lines = [
        "# Soak",
        "",
        f"Written by `python -m benchmarks.soak` on {describe_machine()}.",
        *_what(settings),
        "",
        "| | |",
        "| --- | --- |",
        *(f"| {what} | {'yes' if held else '**no**'} |" for what, held in result.checks()),
        "",
        f"## The first minutes ({_minutes(first)}) and the last ({_minutes(last)})",
        "",
        "| latency, ms | p50 | p99 | p50 at the end | p99 at the end |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [_latencies(kind, first, last) for kind in (*KINDS, "all")]
    lines += [
        "",
        "| table, with indexes | MB | MB at the end | live rows | dead rows | HOT updates | vacuumed |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(_table(name, result.soak[0].sample, first, last) for name in WATCHED),
        "",
        *_others(first, last),
        "",
        "## The slowest intervals",
        "",
        "*Flush* is the longest flush of an independent probe: 8 kB to the same disk, ten times per second.",
        "",
        "| minute | p99 issue | p99 introspect | p99 revoke | slowest request | slowest flush | sender late, p99 |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *map(_interval, _slowest(result.soak)),
        "",
    ]
    if result.with_sweep:
        lines += [
            "## With and without the sweep",
            "",
            *_compared(len(result.with_sweep), settings),
            "",
            "| latency, ms | p50 without | p99 without | p50 with | p99 with |",
            "| --- | ---: | ---: | ---: | ---: |",
            *(_latencies(kind, result.without_sweep, result.with_sweep) for kind in (*KINDS, "all")),
            "",
        ]
    return "\n".join(lines)


def describe_machine() -> str:
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, load average {os.getloadavg()[0]:.1f}"


def _what(settings: dict[str, Any]) -> tuple[str, ...]:
    return (
        f"{settings['minutes']:g} minutes at {settings['rate']:g} requests per second, open loop. Tokens live for",
        f"{settings['lifetime']:g} s, and their rows must be deleted {settings['sweep_seconds']:g} s later. One",
        "service process, PostgreSQL with fsync on, and the sender share the machine.",
    )


def _compared(pairs: int, settings: dict[str, Any]) -> tuple[str, ...]:
    return (
        f"{pairs} pairs of alternating intervals of {settings['compare_seconds']:g} s at the same rate, with",
        f"{settings['rows']:,} additional rows of live tokens. Rows that expire without the sweep are deleted with it.",
    )


def _span(taken: Sequence[Interval]) -> dict[str, Any]:
    return {
        "from": taken[0].sample.seconds,
        "to": taken[-1].sample.seconds,
        "requests": {kind: asdict(LatencySummary.of(merged(taken, kind))) for kind in (*KINDS, "all")},
    }


def _minutes(taken: Sequence[Interval]) -> str:
    return f"{taken[0].sample.seconds / 60:.1f} to {taken[-1].sample.seconds / 60:.1f}"


def _latencies(kind: str, before: Sequence[Interval], after: Sequence[Interval]) -> str:
    ours, theirs = (LatencySummary.of(merged(taken, kind)) for taken in (before, after))
    return f"| {kind} | {ours.p50:.1f} | {ours.p99:.1f} | {theirs.p50:.1f} | {theirs.p99:.1f} |"


def _table(name: str, start: Sample, first: Sequence[Interval], last: Sequence[Interval]) -> str:
    begun, ended = start.tables[name], last[-1].sample.tables[name]
    updated = ended.updated - begun.updated
    hot = f"{(ended.updated_hot - begun.updated_hot) / updated:.1%}" if updated else ""
    sizes = (f"{_largest(taken, name) / 1e6:.1f}" for taken in (first, last))
    vacuums = ended.vacuums - begun.vacuums
    return f"| {name} | {' | '.join(sizes)} | {ended.live:,} | {ended.dead:,} | {hot} | {vacuums} |"


def _others(first: Sequence[Interval], last: Sequence[Interval]) -> list[str]:
    rows = [
        ("expired rows, maximum", lambda taken: max(one.sample.expired_rows for one in taken), ","),
        (
            "seconds since the last complete sweep began, maximum",
            lambda t: max(o.sample.sweep_behind for o in t),
            ".0f",
        ),
        ("memory of the service process, MB", lambda taken: taken[-1].sample.worker_rss / 1e6, ".0f"),
        ("WAL, KB per second", _wal, ".0f"),
        ("p99 of the median interval, ms", _usual_p99, ".1f"),
        ("slowest flush of the disk probe, ms", lambda taken: max(one.sample.flush_worst for one in taken), ".1f"),
        ("sender lateness, p99 in ms", _late, ".1f"),
    ]
    return [
        "| | first | last |",
        "| --- | ---: | ---: |",
        *(f"| {what} | {measure(first):{form}} | {measure(last):{form}} |" for what, measure, form in rows),
    ]


def _slowest(taken: Sequence[Interval]) -> list[Interval]:
    """Return the intervals with the longest p99, in order of time."""
    longest = nlargest(SLOWEST_INTERVALS, taken, key=lambda one: one.sample.requests["all"].p99)
    return sorted(longest, key=lambda one: one.sample.seconds)


def _interval(taken: Interval) -> str:
    sample = taken.sample
    p99s = [f"{sample.requests[kind].p99:.1f}" for kind in KINDS]
    others = [f"{ms:.1f}" for ms in (max(taken.latencies.all, default=0.0), sample.flush_worst, sample.late_p99)]
    return f"| {sample.seconds / 60:.1f} | {' | '.join([*p99s, *others])} |"


def _late(taken: Sequence[Interval]) -> float:
    return percentile([ms for one in taken for ms in one.latencies.late], 0.99)


def _wal(taken: Sequence[Interval]) -> float:
    begun, ended = taken[0].sample, taken[-1].sample
    return (ended.wal_bytes - begun.wal_bytes) / 1000 / max(ended.seconds - begun.seconds, 1.0)
