"""The results for each size of the log, as JSON and Markdown."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.demo_service import Measurement
from benchmarks.growth.storage import TABLES, StorageGrowth

PAGE_BYTES = 8192
TARGET_RATIO = 0.9
"""Of the introspection rates at the largest and the smallest size."""


@dataclass
class Size:
    """The results for one size. Memory is that of the service process in MiB."""

    tokens: int
    events: int
    load_seconds: float
    bytes_by_token: Mapping[str, float] = field(default_factory=dict)
    workloads: dict[str, list[Measurement]] = field(default_factory=dict)
    issued: StorageGrowth = field(default_factory=StorageGrowth)
    revoked: StorageGrowth = field(default_factory=StorageGrowth)
    memory_before: float = 0.0
    memory_after_reads: float = 0.0
    memory_after: float = 0.0


@dataclass
class Growth:
    """The results for all sizes, the smallest first."""

    machine: str
    settings: Mapping[str, str]
    seconds: int
    repetitions: int
    connections: int
    load_average: float
    sizes: list[Size]


def write_report(growth: Growth, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "growth.json").write_text(json.dumps(asdict(growth), indent=2) + "\n")
    (folder / "growth.md").write_text(f"# Growth\n\n{as_markdown(growth)}\n")


def as_markdown(growth: Growth) -> str:
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
            f"{growth.machine}. {runs}, alternating between sizes, load average before {growth.load_average:.1f}.",
            "",
            f"Requests per second: median (min - max), ratio to {sizes[0].tokens:,} tokens; target {TARGET_RATIO}.",
            *("", heading, rule, *rates, ""),
            "CPU time of the service per request in µs / p99 in ms:",
            *("", heading, rule, *costs, ""),
            "Bytes per token in the filled log:",
            *("", heading, rule, *_bytes(sizes), ""),
            "Bytes per token issued over HTTP after that, and bytes of the write-ahead log since a checkpoint:",
            *("", heading, rule, *_appended(sizes), ""),
            "The service process, and the time to fill the log:",
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
    def by_event(written: StorageGrowth, total: float) -> str:
        return f"{total / max(1, written.events):,.0f}"

    def of(written: StorageGrowth, name: str) -> float:
        return sum(grown for relation, grown in written.grown.items() if relation.startswith(name))

    return [
        _row("tokens issued", *(f"{size.issued.events:,}" for size in sizes)),
        *(
            _row(f"`{name}` and its indexes", *(by_event(size.issued, of(size.issued, name)) for size in sizes))
            for name in TABLES
        ),
        _row("WAL, including the history", *(by_event(size.issued, size.issued.wal_bytes) for size in sizes)),
        _row(
            "… of which full-page images, at most",
            *(by_event(size.issued, size.issued.pages * PAGE_BYTES) for size in sizes),
        ),
        _row("tokens revoked", *(f"{size.revoked.events:,}" for size in sizes)),
        _row("WAL per revocation", *(by_event(size.revoked, size.revoked.wal_bytes) for size in sizes)),
        _row(
            "… of which full-page images, at most",
            *(by_event(size.revoked, size.revoked.pages * PAGE_BYTES) for size in sizes),
        ),
    ]


def _others(sizes: Sequence[Size]) -> list[str]:
    return [
        _row("memory at start, MiB", *(f"{size.memory_before:.0f}" for size in sizes)),
        _row("memory after reads, MiB", *(f"{size.memory_after_reads:.0f}" for size in sizes)),
        _row("memory at the end, MiB", *(f"{size.memory_after:.0f}" for size in sizes)),
        _row("seconds to fill the log", *(f"{size.load_seconds:,.0f}" for size in sizes)),
    ]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
