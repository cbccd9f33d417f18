"""How fast the service answers over HTTP, beside an empty aiohttp handler on the same machine.

    python -m benchmarks.http [--json] [--seconds 5] [--repetitions 5] [--workload NAME ...]

Rates of one machine say little about another; the ratio to the empty handler says what the service itself costs. The
two are driven in turn, so that whatever else the machine does falls on both, and medians are compared.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.processes import CannotMeasure, Server, empty_handler, post, service
from benchmarks.workloads import INTROSPECT, ISSUE, RESOURCE_SERVER, REVOKE, TOKEN, WORKLOADS, Workload
from benchmarks.wrk import Load, Measurement, check_installed, drive, harvest

WARM_UP_SECONDS = 2
HARVEST_SECONDS = 2
BUSY = 0.5
"""The load average from which on the machine is not ours alone."""


@dataclass(frozen=True)
class Compared:
    """The measurements of one workload, in the order they were taken."""

    workload: Workload
    empty: Sequence[Measurement]
    service: Sequence[Measurement]

    @property
    def ratio(self) -> float:
        """The service's median rate over the empty handler's."""
        return _median_rate(self.service) / _median_rate(self.empty)

    @property
    def reached(self) -> bool:
        return self.workload.target is None or self.ratio >= self.workload.target


def compare(
    workload: Workload, yardstick: Server, served: Server, folder: Path, options: argparse.Namespace
) -> Compared:
    """Drive both in turn, after a warm-up of each."""
    load = Load(connections=options.connections)

    def bodies(seconds: int) -> Sequence[str]:
        # Tokens are issued faster than they are revoked; twice the time is plenty.
        issuing = seconds * 2 if workload.once else HARVEST_SECONDS
        tokens = harvest(served.url(TOKEN), WORKLOADS[2].bodies([])[0], folder, load=load, seconds=issuing)
        return workload.bodies(tokens)

    def measure(server: Server, seconds: int, of: Sequence[str]) -> Measurement:
        measured = drive(server, workload.path, of, folder, load=load, seconds=seconds)
        if workload.once and server is served and measured.requests > len(of):
            msg = f"{workload.name}: {len(of)} tokens did not last {seconds} s"
            raise CannotMeasure(msg)
        return measured

    prepared = bodies(WARM_UP_SECONDS)
    for server in (yardstick, served):
        measure(server, WARM_UP_SECONDS, prepared)
    empty, ours = [], []
    for _ in range(options.repetitions):
        if workload.once:
            prepared = bodies(options.seconds)
        empty.append(measure(yardstick, options.seconds, prepared))
        ours.append(measure(served, options.seconds, prepared))
    return Compared(workload, empty, ours)


def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 1 when there is no measurement or, with --check, when a target is missed."""
    options = _options(arguments)
    try:
        check_installed()
        with tempfile.TemporaryDirectory(prefix="token-ledger-benchmark-") as name:
            results = _run(Path(name), options)
    except CannotMeasure as reason:
        print(f"No measurement: {reason}", file=sys.stderr)
        return 1
    print(_as_json(results, options) if options.json else _as_table(results, options))
    return int(options.check and not all(result.reached for result in results))


def _run(folder: Path, options: argparse.Namespace) -> list[Compared]:
    load_average = os.getloadavg()[0]
    if load_average > BUSY:
        print(f"Load average {load_average:.1f}: other work on this machine is measured too.", file=sys.stderr)
    with service(folder) as served:
        issued = post(served, TOKEN, **ISSUE)
        token = json.loads(issued)["access_token"]
        active = post(served, INTROSPECT, **RESOURCE_SERVER, token=token)
        with empty_handler(folder, {TOKEN: issued, INTROSPECT: active, REVOKE: ""}) as yardstick:
            results = []
            for workload in WORKLOADS:
                if workload.name in options.workload:
                    print(f"{workload.name} ...", file=sys.stderr)
                    results.append(compare(workload, yardstick, served, folder, options))
            return results


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    names = [workload.name for workload in WORKLOADS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.http", description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print every measurement as JSON instead of a table")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
    parser.add_argument("--seconds", type=int, default=5, help="length of one run of wrk")
    parser.add_argument("--repetitions", type=int, default=5, help="runs of each, in turn")
    parser.add_argument("--connections", type=int, default=Load.connections, help="connections that wrk keeps busy")
    parser.add_argument("--workload", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    return parser.parse_args(arguments)


def _as_table(results: Sequence[Compared], options: argparse.Namespace) -> str:
    lines = [
        f"{_machine()}, {options.connections} connections, {options.repetitions} runs of {options.seconds} s each",
        "",
        "| workload | empty handler /s | service /s (least - most) | p50 ms | p99 ms | CPU us each | ratio | target |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for result in results:
        rates = [measurement.rate for measurement in result.service]
        target = result.workload.target
        lines.append(
            f"| {result.workload.name} | {_median_rate(result.empty):,.0f} "
            f"| {_median_rate(result.service):,.0f} ({min(rates):,.0f} - {max(rates):,.0f}) "
            f"| {statistics.median(m.p50_ms for m in result.service):.1f} "
            f"| {statistics.median(m.p99_ms for m in result.service):.1f} "
            f"| {_cpu(result.empty):.0f} / {_cpu(result.service):.0f} "
            f"| {result.ratio:.2f} | {'' if target is None else target} {'' if result.reached else 'missed'} |"
        )
    return "\n".join(lines)


def _as_json(results: Sequence[Compared], options: argparse.Namespace) -> str:
    return json.dumps(
        {
            "machine": _machine(),
            "seconds": options.seconds,
            "connections": options.connections,
            "workloads": [
                {
                    "name": result.workload.name,
                    "ratio": round(result.ratio, 3),
                    "target": result.workload.target,
                    "empty_handler": [asdict(m) for m in result.empty],
                    "service": [asdict(m) for m in result.service],
                }
                for result in results
            ],
        },
        indent=2,
    )


def _machine() -> str:
    return (
        f"{os.cpu_count()} cores, Python {platform.python_version()}, aiohttp {version('aiohttp')}, "
        f"uvloop {version('uvloop')}, PostgreSQL on the same machine with fsync on"
    )


def _cpu(measurements: Sequence[Measurement]) -> float:
    return statistics.median(measurement.cpu_us for measurement in measurements)


def _median_rate(measurements: Sequence[Measurement]) -> float:
    return statistics.median(measurement.rate for measurement in measurements)


if __name__ == "__main__":
    sys.exit(main())
