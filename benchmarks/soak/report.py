"""What a soak came to: the first minutes beside the last, with and without the sweep, and a verdict."""

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from heapq import nlargest
from typing import Any

from benchmarks.soak.load import KINDS, percentile
from benchmarks.soak.samples import BOUNDED, WATCHED, Sample, Taken, Times

GROWN, SLOWED = 1.2, 1.25
"""How much larger a bounded table may be at the end, and how much longer the p99, before it counts."""

TRUSTED_LATE_MS = 10.0
"""How late the sender may be, at its p99, for latencies to be those of the service."""

WINDOW_SECONDS = 300.0
SLOWEST = 10
"""So many intervals are told one by one."""


@dataclass
class Result:
    """All that was measured."""

    settings: dict[str, Any]
    soak: list[Taken]
    with_sweep: list[Taken] = field(default_factory=list)
    without_sweep: list[Taken] = field(default_factory=list)

    @property
    def warm_up(self) -> float:
        """Until rows go as fast as they come: a token's life, the time a row may stay, and a round of autovacuum."""
        return float(self.settings["lifetime"] + self.settings["sweep_seconds"] + 60)

    def windows(self) -> tuple[list[Taken], list[Taken]]:
        """The first minutes after the warm-up and the last ones, of the same length."""
        end = self.soak[-1].sample.seconds
        warm_up = min(self.warm_up, end / 2)
        length = min(WINDOW_SECONDS, (end - warm_up) / 2)
        first = [taken for taken in self.soak if warm_up < taken.sample.seconds <= warm_up + length]
        last = [taken for taken in self.soak if taken.sample.seconds > end - length]
        return first, last

    def verdict(self) -> list[tuple[str, bool]]:
        """What had to hold, and whether it did."""
        first, last = self.windows()
        everything = [*self.soak, *self.with_sweep, *self.without_sweep]
        found = [
            (f"{name} is no larger at the end", _largest(last, name) <= GROWN * _largest(first, name))
            for name in BOUNDED
        ]
        found.append(("the p99 is no longer at the end", p99(last) <= SLOWED * p99(first)))
        found.append(
            ("the p99 of the median interval is no longer at the end", _usual_p99(last) <= SLOWED * _usual_p99(first))
        )
        if self.with_sweep:
            held = p99(self.with_sweep) <= SLOWED * p99(self.without_sweep)
            found.append(("the p99 is no longer while expired rows are swept", held))
        found += [
            ("every request was answered with success", not sum(taken.sample.failed for taken in everything)),
            ("every introspection was right", not sum(taken.sample.wrong for taken in everything)),
            ("the sender was on time", _late(last) <= TRUSTED_LATE_MS),
        ]
        return found


def merged(taken: Sequence[Taken], kind: str = "all") -> list[float]:
    """The latencies of several intervals."""
    return [ms for one in taken for ms in (one.latencies.all if kind == "all" else one.latencies.of[kind])]


def p99(taken: Sequence[Taken], kind: str = "all") -> float:
    return percentile(merged(taken, kind), 0.99)


def _usual_p99(taken: Sequence[Taken]) -> float:
    """Half of the intervals had no longer one: what a few moments in which the disk stood still do not decide."""
    return percentile([one.sample.requests["all"].p99 for one in taken], 0.5)


def _largest(taken: Sequence[Taken], name: str) -> int:
    """With its indexes."""
    return max(one.sample.tables[name].bytes + one.sample.tables[name].index_bytes for one in taken)


def as_document(result: Result) -> dict[str, Any]:
    """For machines: every sample."""
    first, last = result.windows()
    return {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "settings": result.settings,
        "verdict": [{"what": what, "held": held} for what, held in result.verdict()],
        "windows": {"first": _span(first), "last": _span(last)},
        "soak": [asdict(taken.sample) for taken in result.soak],
        "with_sweep": [asdict(taken.sample) for taken in result.with_sweep],
        "without_sweep": [asdict(taken.sample) for taken in result.without_sweep],
    }


def as_markdown(result: Result) -> str:
    """For people: the windows side by side."""
    first, last = result.windows()
    settings = result.settings
    lines = [
        "# Soak",
        "",
        f"Written by `python -m benchmarks.soak` on {machine()}.",
        *_what(settings),
        "",
        "| | |",
        "| --- | --- |",
        *(f"| {what} | {'yes' if held else '**no**'} |" for what, held in result.verdict()),
        "",
        f"## The first minutes ({_minutes(first)}) beside the last ({_minutes(last)})",
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
        "*Flush* is the longest that a bystander, who knows nothing of the service, took to flush 8 kB to the same",
        "disk, ten times a second.",
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


def machine() -> str:
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, load average {os.getloadavg()[0]:.1f}"


def _what(settings: dict[str, Any]) -> tuple[str, ...]:
    return (
        f"{settings['minutes']:g} minutes at {settings['rate']:g} requests a second, open loop, of tokens that live",
        f"{settings['lifetime']:g} s and whose rows are to be gone {settings['sweep_seconds']:g} s later. One process,",
        "PostgreSQL with fsync on, and the sender are on the same machine.",
    )


def _compared(pairs: int, settings: dict[str, Any]) -> tuple[str, ...]:
    return (
        f"{pairs} intervals of {settings['compare_seconds']:g} s each, in turn, at the same rate, beside",
        f"{settings['rows']:,} rows of tokens in use. What expired while it was held was swept when it was not.",
    )


def _span(taken: Sequence[Taken]) -> dict[str, Any]:
    return {
        "from": taken[0].sample.seconds,
        "to": taken[-1].sample.seconds,
        "requests": {kind: asdict(Times.of(merged(taken, kind))) for kind in (*KINDS, "all")},
    }


def _minutes(taken: Sequence[Taken]) -> str:
    return f"{taken[0].sample.seconds / 60:.1f} to {taken[-1].sample.seconds / 60:.1f}"


def _latencies(kind: str, before: Sequence[Taken], after: Sequence[Taken]) -> str:
    ours, theirs = (Times.of(merged(taken, kind)) for taken in (before, after))
    return f"| {kind} | {ours.p50:.1f} | {ours.p99:.1f} | {theirs.p50:.1f} | {theirs.p99:.1f} |"


def _table(name: str, start: Sample, first: Sequence[Taken], last: Sequence[Taken]) -> str:
    begun, ended = start.tables[name], last[-1].sample.tables[name]
    updated = ended.updated - begun.updated
    hot = f"{(ended.updated_hot - begun.updated_hot) / updated:.1%}" if updated else ""
    sizes = (f"{_largest(taken, name) / 1e6:.1f}" for taken in (first, last))
    vacuums = ended.vacuums - begun.vacuums
    return f"| {name} | {' | '.join(sizes)} | {ended.live:,} | {ended.dead:,} | {hot} | {vacuums} |"


def _others(first: Sequence[Taken], last: Sequence[Taken]) -> list[str]:
    rows = [
        ("rows that had expired, at most", lambda taken: max(one.sample.expired_rows for one in taken), ","),
        ("seconds since the last whole walk began, at most", lambda t: max(o.sample.sweep_behind for o in t), ".0f"),
        ("memory of the process that serves, MB", lambda taken: taken[-1].sample.worker_rss / 1e6, ".0f"),
        ("WAL, KB a second", _wal, ".0f"),
        ("p99 of the median interval, ms", _usual_p99, ".1f"),
        ("slowest flush of a bystander, ms", lambda taken: max(one.sample.flush_worst for one in taken), ".1f"),
        ("how late the sender was, p99 in ms", _late, ".1f"),
    ]
    return [
        "| | first | last |",
        "| --- | ---: | ---: |",
        *(f"| {what} | {measure(first):{form}} | {measure(last):{form}} |" for what, measure, form in rows),
    ]


def _slowest(taken: Sequence[Taken]) -> list[Taken]:
    """Those with the longest p99, in the order of time."""
    longest = nlargest(SLOWEST, taken, key=lambda one: one.sample.requests["all"].p99)
    return sorted(longest, key=lambda one: one.sample.seconds)


def _interval(taken: Taken) -> str:
    sample = taken.sample
    p99s = [f"{sample.requests[kind].p99:.1f}" for kind in KINDS]
    others = [f"{ms:.1f}" for ms in (max(taken.latencies.all, default=0.0), sample.flush_worst, sample.late_p99)]
    return f"| {sample.seconds / 60:.1f} | {' | '.join([*p99s, *others])} |"


def _late(taken: Sequence[Taken]) -> float:
    return percentile([ms for one in taken for ms in one.latencies.late], 0.99)


def _wal(taken: Sequence[Taken]) -> float:
    begun, ended = taken[0].sample, taken[-1].sample
    return (ended.wal_bytes - begun.wal_bytes) / 1000 / max(ended.seconds - begun.seconds, 1.0)
