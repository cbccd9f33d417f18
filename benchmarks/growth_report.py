"""What was measured of each size of a log, as JSON to be plotted and as Markdown to be read."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.server_under_load import Measurement
from benchmarks.storage import TABLES, Written

PAGE_BYTES = 8192
AIM = 0.9
"""Of the rate of introspection at the smallest size, at the largest."""


@dataclass
class Size:
    """One size, and all that was measured of it. Memory is of the process that serves, in MiB."""

    tokens: int
    events: int
    load_seconds: float
    bytes_by_token: Mapping[str, float] = field(default_factory=dict)
    workloads: dict[str, list[Measurement]] = field(default_factory=dict)
    issued: Written = field(default_factory=Written)
    revoked: Written = field(default_factory=Written)
    memory_before: float = 0.0
    memory_after_reads: float = 0.0
    memory_after: float = 0.0


@dataclass
class Growth:
    """All sizes, the smallest first."""

    machine: str
    settings: Mapping[str, str]
    seconds: int
    repetitions: int
    connections: int
    load_average: float
    sizes: list[Size]


def write_report(growth: Growth, folder: Path) -> None:
    """growth.json and growth.md."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "growth.json").write_text(json.dumps(asdict(growth), indent=2) + "\n")
    (folder / "growth.md").write_text(f"# Growth\n\n{as_markdown(growth)}\n")


def as_markdown(growth: Growth) -> str:
    """Tables of requests, bytes, and the write-ahead log."""
    sizes = growth.sizes
    heading = _row("", *(f"{size.tokens:,} tokens" for size in sizes))
    rule = f"| --- |{' ---: |' * len(sizes)}"
    rates = [_row(name, *(_rate(size, sizes[0], name) for size in sizes)) for name in sizes[0].workloads]
    costs = [
        _row(name, *(f"{_median(size, name, 'cpu_us'):.0f} / {_median(size, name, 'p99_ms'):.1f}" for size in sizes))
        for name in sizes[0].workloads
    ]
    runs = f"{growth.connections} connections, {growth.repetitions} runs of {growth.seconds} s each"
    return "\n".join(
        [
            f"{growth.machine}. {runs}, all sizes in turn, load average before {growth.load_average:.1f}.",
            "",
            f"Requests a second: median (least - most), ratio to {sizes[0].tokens:,} tokens; {AIM} is aimed at.",
            *("", heading, rule, *rates, ""),
            "Processor time of the service by request in microseconds / p99 in ms:",
            *("", heading, rule, *costs, ""),
            "Bytes by token, when the log was filled:",
            *("", heading, rule, *_bytes(sizes), ""),
            "Bytes by token issued over HTTP after that, and of the write-ahead log from a checkpoint on:",
            *("", heading, rule, *_appended(sizes), ""),
            "The process that serves, and the filling:",
            *("", heading, rule, *_others(sizes)),
        ]
    )


def _rate(size: Size, smallest: Size, name: str) -> str:
    rates = [measured.rate for measured in size.workloads[name]]
    ratio = statistics.median(rates) / statistics.median(measured.rate for measured in smallest.workloads[name])
    return f"{statistics.median(rates):,.0f} ({min(rates):,.0f} - {max(rates):,.0f}) {ratio:.2f}"


def _median(size: Size, name: str, what: str) -> float:
    return statistics.median(getattr(measured, what) for measured in size.workloads[name])


def _bytes(sizes: Sequence[Size]) -> list[str]:
    names = sizes[0].bytes_by_token
    rows = [_row(f"`{name}`", *(f"{size.bytes_by_token[name]:.0f}" for size in sizes)) for name in names]
    return [*rows, _row("all", *(f"{sum(size.bytes_by_token.values()):.0f}" for size in sizes))]


def _appended(sizes: Sequence[Size]) -> list[str]:
    def by_event(written: Written, total: float) -> str:
        return f"{total / max(1, written.events):,.0f}"

    def of(written: Written, name: str) -> float:
        return sum(grown for relation, grown in written.grown.items() if relation.startswith(name))

    return [
        _row("tokens issued", *(f"{size.issued.events:,}" for size in sizes)),
        *(
            _row(f"`{name}` and its indexes", *(by_event(size.issued, of(size.issued, name)) for size in sizes))
            for name in TABLES
        ),
        _row("WAL, history included", *(by_event(size.issued, size.issued.wal_bytes) for size in sizes)),
        _row(
            "… of it at most in whole pages", *(by_event(size.issued, size.issued.pages * PAGE_BYTES) for size in sizes)
        ),
        _row("tokens revoked", *(f"{size.revoked.events:,}" for size in sizes)),
        _row("WAL by revocation", *(by_event(size.revoked, size.revoked.wal_bytes) for size in sizes)),
        _row(
            "… of it at most in whole pages",
            *(by_event(size.revoked, size.revoked.pages * PAGE_BYTES) for size in sizes),
        ),
    ]


def _others(sizes: Sequence[Size]) -> list[str]:
    return [
        _row("memory at start, MiB", *(f"{size.memory_before:.0f}" for size in sizes)),
        _row("memory after what reads, MiB", *(f"{size.memory_after_reads:.0f}" for size in sizes)),
        _row("memory at the end, MiB", *(f"{size.memory_after:.0f}" for size in sizes)),
        _row("seconds to fill the log", *(f"{size.load_seconds:,.0f}" for size in sizes)),
    ]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
