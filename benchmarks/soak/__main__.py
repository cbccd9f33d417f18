"""Run constant load for half an hour while tokens expire: do tables grow, and do requests slow down?

    python -m benchmarks.soak [--minutes 30] [--rate 150] [--lifetime 60] [--sweep-seconds 60] [--pairs 6] [--short]

It issues, introspects and revokes at a fixed rate, samples tables, WAL, memory and latencies, and compares the last
minutes with the first. Then, at the same rate, it compares intervals with and without the sweep of expired rows.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import asyncpg
import msgspec
import uvloop

from api.embedded_postgres import EmbeddedPostgres
from api.service.composition import Service, ServiceConfig
from benchmarks.command import benchmark, parse_options, temporary_folder
from benchmarks.demo_service import CLIENT, PATH, Server, run_demo_service
from benchmarks.soak.disk_probe import DiskProbe, probe_disk
from benchmarks.soak.load import Load
from benchmarks.soak.report import Result, as_document, as_markdown
from benchmarks.soak.samples import SQL, Interval, Sampler, repeat_until_done
from ledger.domain.recording import Cause
from ledger.postgres.database import Connection
from ledger.use_cases.issuer import IssuerIdentifier

RESULTS = Path(__file__).parents[2] / "docs" / "benchmarks"
SHORT = {
    "minutes": 3.0,
    "lifetime": 20,
    "sweep_seconds": 20,
    "pairs": 3,
    "compare_seconds": 12.0,
    "sample_seconds": 5.0,
}


@benchmark
def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0, or 1 when a measurement is not possible or a check failed."""
    options = _options(arguments)
    os.environ["TOKEN_LEDGER_SWEEP_SECONDS"] = str(options.sweep_seconds)
    with (
        temporary_folder() as folder,
        run_demo_service(folder) as served,
        EmbeddedPostgres(folder / "postgres") as postgres,
        probe_disk(folder) as disk_probe,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        result = runner.run(_soak(served, postgres, disk_probe, options))
    report = as_markdown(result)
    print(report)
    if options.write is not None:
        options.write.mkdir(parents=True, exist_ok=True)
        (options.write / "soak.md").write_text(report, encoding="utf-8")
        (options.write / "soak.json").write_text(json.dumps(as_document(result), indent=1) + "\n", encoding="utf-8")
    return int(not all(held for _, held in result.checks()))


async def _soak(
    served: Server, postgres: EmbeddedPostgres, disk_probe: DiskProbe, options: argparse.Namespace
) -> Result:
    await _set_token_lifetime(served, postgres.service_dsn, options.lifetime)
    settings = {name: value for name, value in vars(options).items() if name not in {"write", "short"}}
    result = Result(settings, soak=[])
    load = Load(served.url, rate=options.rate, lifetime=options.lifetime)
    connection = await asyncpg.connect(postgres.owner_dsn)
    try:
        sampler = Sampler(connection, load, served.pid, disk_probe)

        async def sample() -> None:
            result.soak.append(await sampler.take())
            _log_interval(result.soak[-1])

        await repeat_until_done(options.sample_seconds, asyncio.create_task(load.run(options.minutes * 60)), sample)
        await _compare(load, sampler, connection, result, options)
    finally:
        await connection.close()
    return result


async def _compare(
    load: Load,
    sampler: Sampler,
    connection: Connection,
    result: Result,
    options: argparse.Namespace,
) -> None:
    """Alternate intervals without and with the sweep, under the same load and over a large table."""
    if not options.pairs:
        return
    await connection.execute(SQL["add_rows"], options.rows)
    seconds = options.compare_seconds
    loading = asyncio.create_task(load.run((2 * options.pairs + 1) * seconds))
    await asyncio.sleep(seconds)  # work caused by the added rows must not be in an interval
    load.take()
    for _ in range(options.pairs):
        await connection.execute(SQL["hold_sweep"], timedelta(seconds=seconds))
        for intervals in (result.without_sweep, result.with_sweep):
            await asyncio.sleep(seconds)
            intervals.append(await sampler.take())
            _log_interval(intervals[-1])
    await loading


async def _set_token_lifetime(served: Server, dsn: str, lifetime: int) -> None:
    issuer = IssuerIdentifier(f"http://localhost:{served.port}{PATH}")
    async with Service(ServiceConfig(dsn=dsn, issuers=(issuer,))) as opened:
        registry = opened.issuers[0].registry
        client = await registry.load(CLIENT["client_id"])
        assert client is not None
        changed = msgspec.structs.replace(client.settings, access_token_lifetime=lifetime)
        await registry.update(client.client_id, changed, Cause(actor="operator:benchmark"))


def _log_interval(interval: Interval) -> None:
    sample = interval.sample
    everything, active = sample.requests["all"], sample.tables["active_tokens"]
    print(
        f"{sample.seconds / 60:5.1f} min  p50 {everything.p50:5.1f}  p99 {everything.p99:6.1f} ms  "
        f"active_tokens {(active.bytes + active.index_bytes) / 1e6:5.1f} MB, {sample.expired_rows:,} expired  "
        f"late {sample.late_p99:.1f} ms  flush {sample.flush_worst:.1f} ms  "
        f"failed {sample.failed}  wrong {sample.wrong}",
        file=sys.stderr,
    )


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0, help="duration")
    parser.add_argument("--rate", type=float, default=150.0, help="requests per second")
    parser.add_argument("--lifetime", type=int, default=60, help="lifetime of a token in seconds")
    parser.add_argument("--sweep-seconds", type=int, default=60, help="time in which expired rows must be deleted")
    parser.add_argument("--sample-seconds", type=float, default=15.0, help="length of an interval")
    parser.add_argument("--pairs", type=int, default=6, help="intervals with and without the sweep; 0 skips them")
    parser.add_argument(
        "--compare-seconds", type=float, default=60.0, help="length of an interval with or without the sweep"
    )
    parser.add_argument("--rows", type=int, default=200_000, help="additional live tokens during the comparison")
    parser.add_argument("--write", type=Path, nargs="?", const=RESULTS, help="folder for soak.md and soak.json")
    return parse_options(parser, arguments, short=SHORT)


if __name__ == "__main__":
    sys.exit(main())
