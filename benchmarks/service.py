"""Measure the service, an empty aiohttp handler and pgbench, and write the results as JSON.

    python -m benchmarks.service [--short] [--folder docs/benchmarks]

`python -m benchmarks.report` writes the report from them.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import asyncpg

from benchmarks.ceilings.empty_handler import run_empty_handler
from benchmarks.ceilings.pgbench import LOOKUPS_PER_QUERY, SCRIPTS, list_ceilings, run_pgbench
from benchmarks.command import benchmark, log_progress, temporary_folder
from benchmarks.comparison import Comparison
from benchmarks.contenders.catalogue import OURS
from benchmarks.contenders.contender import Database
from benchmarks.contenders.protocol_check import fetch_json
from benchmarks.contenders.token_ledger import CONTENDER, RunningTokenLedger, run_as_owner
from benchmarks.database_server import database_server
from benchmarks.load.request import Request
from benchmarks.load.target import LoadTarget, choose_by_zipf
from benchmarks.load.workloads import WORKLOADS
from benchmarks.load.wrk import require_wrk
from benchmarks.machine import current_commit, current_time, describe_machine, tool_versions
from benchmarks.numbered_tokens import CLIENTS, client_name, token
from benchmarks.report.paths import FOLDER, service_file
from benchmarks.report.results import (
    AUDIT_HISTORY,
    AUDIT_PAGE,
    EMPTY_HANDLER,
    ISSUE,
    LIVE,
    MIX,
    MIXED,
    REVOKE,
    REVOKED,
    UNKNOWN,
    Method,
    Rebuild,
    Results,
    Run,
    Series,
    Statements,
    write_results,
)
from benchmarks.report.targets import RESTARTED
from benchmarks.served_log import ServedLog, create_served_log
from ledger.domain.secrets import hash_token

METHOD = Method(
    connections=64, seconds=2, repetitions=5, paced_seconds=5, paced_repetitions=3, tokens=1_000_000, rebuilds=1
)
SHORT = Method(
    connections=64, seconds=1, repetitions=1, paced_seconds=2, paced_repetitions=1, tokens=20_000, rebuilds=1
)

COMMAND_TIMEOUT_SECONDS = 600.0
PROJECTIONS = ("active_tokens", "token_history")
HISTORIES_PER_SECOND, PAGES_PER_SECOND = 200, 50
AUDIT_REQUESTS = 1000


@benchmark
def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0, or 1 when a measurement is not possible."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service", description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="a quick run of a minute or two; its numbers mean little")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="folder for the results")
    options = parser.parse_args(arguments)
    require_wrk()
    with temporary_folder() as folder:
        write_results(_measure(folder, SHORT if options.short else METHOD), service_file(options.folder))
    return 0


def _measure(folder: Path, method: Method) -> Results:
    machine = describe_machine()
    versions = {OURS: dict(CONTENDER.set_up(folder))}
    rebuilds: list[Rebuild] = []
    statements: list[Statements] = []
    with database_server(folder / "postgres") as server:
        server.preallocate_wal()
        versions["tools"] = tool_versions(server.version())
        served = create_served_log(server, folder, method.tokens)
        comparison = Comparison(server, folder, method)
        comparison.attempt("rebuilding projections", lambda: rebuilds.extend(_measure_rebuilds(served, method)))
        with served.serve(1) as (ours, running), run_empty_handler(folder, running) as empty:
            handler = LoadTarget(EMPTY_HANDLER, 1, empty, ours.tokens, accepts_any_token=True)
            comparison.measure_rates([handler, ours], [ISSUE, LIVE, MIX, REVOKE, MIXED])
            comparison.measure_rates([ours], [REVOKED, UNKNOWN])
            comparison.measure_latencies([handler, ours], [MIX, ISSUE])
            comparison.attempt("audit", lambda: _measure_audit(comparison, served, ours, running))
        comparison.attempt("two workers", lambda: _measure_workers(comparison, served))
        comparison.attempt("pgbench", lambda: statements.extend(_measure_pgbench(served, method)))
    return Results(
        taken_at=current_time(),
        commit=current_commit(),
        machine=machine,
        method=method,
        versions=versions,
        notes={OURS: CONTENDER.notes},
        series=comparison.series,
        latencies=comparison.latencies,
        statements=statements,
        rebuilds=rebuilds,
        absent=comparison.absent,
    )


def _measure_rebuilds(served: ServedLog, method: Method) -> Iterator[Rebuild]:
    for name in PROJECTIONS:
        log_progress(f"rebuild of {name}")
        rebuilt, verified = [], []
        for _ in range(method.rebuilds):
            rebuilt.append(_run_projection_command(served, "rebuild", name))
            verified.append(_run_projection_command(served, "verify", name)["seconds"])
        seconds = [run["seconds"] for run in rebuilt]
        yield Rebuild(projection=name, events=rebuilt[-1]["events"], rebuilt=seconds, verified=verified)


def _run_projection_command(served: ServedLog, verb: str, name: str) -> dict[str, float]:
    output = run_as_owner(served.database, "projections", verb, name, "--json", seconds=COMMAND_TIMEOUT_SECONDS)
    return dict(json.loads(output))


def _measure_audit(comparison: Comparison, served: ServedLog, ours: LoadTarget, running: RunningTokenLedger) -> None:
    tokens, random = served.log.tokens, Random(0)  # noqa: S311 (not for security)
    bearer = {"Authorization": f"Bearer {fetch_json(running.issue_to_auditor())['access_token']}"}
    numbers = [random.randrange(tokens.count) for _ in range(AUDIT_REQUESTS)]
    histories = [Request(running.audit_url(f"/tokens/{tokens.jti(n)}/events"), headers=bearer) for n in numbers]
    pages = []
    for number in numbers:
        as_of = tokens.recorded_at(max(number, tokens.count // 10)).isoformat().replace("+00:00", "Z")
        client = client_name(random.randrange(CLIENTS))
        condition = random.choice((f"client_id={client}", "status=revoked", f"client_id={client}&status=active"))
        pages.append(Request(running.audit_url(f"/tokens?as_of={as_of}&limit=100&{condition}"), headers=bearer))
    for name, rate, requests in (
        (AUDIT_HISTORY, HISTORIES_PER_SECOND, histories),
        (AUDIT_PAGE, PAGES_PER_SECOND, pages),
    ):
        comparison.measure_request_rate(ours, name, requests)
        comparison.measure_request_latencies(name, [(ours, rate, requests)])


def _measure_workers(comparison: Comparison, served: ServedLog) -> None:
    """Alternate between one process and two, never at the same time: they would share the catch-up projections."""
    log_progress("one worker and two")
    method = comparison.method
    runs: dict[tuple[int, str], list[Run]] = {(processes, name): [] for processes in (1, 2) for name in (ISSUE, MIX)}
    for _ in range(method.paced_repetitions):
        for processes in (1, 2):
            with served.serve(processes) as (target, _):
                for name in (ISSUE, MIX):
                    comparison.run_workload(target, WORKLOADS[name], 1)
                    runs[processes, name].append(comparison.run_workload(target, WORKLOADS[name], method.seconds))
    comparison.series += [
        Series(contender=RESTARTED, processes=processes, workload=name, runs=taken)
        for (processes, name), taken in runs.items()
    ]


def _measure_pgbench(served: ServedLog, method: Method) -> Iterator[Statements]:
    log_progress("pgbench")
    spare = asyncio.run(_create_spare_log(served.database))
    count = SCRIPTS * LOOKUPS_PER_QUERY
    numbers = choose_by_zipf(served.log.tokens.count, count, Random(0))  # noqa: S311 (not for security)
    ceilings = list_ceilings(served.log.log_id, spare, [hash_token(token(number)) for number in numbers])
    runs: list[list[float]] = [[] for _ in ceilings]
    for _ in range(method.paced_repetitions):
        for ceiling, taken in zip(ceilings, runs, strict=True):
            taken.append(run_pgbench(ceiling, served.database, served.folder / "pgbench", seconds=method.seconds))
    for ceiling, taken in zip(ceilings, runs, strict=True):
        yield Statements(name=ceiling.name, what=ceiling.what, operations=ceiling.operations, transactions=taken)


async def _create_spare_log(database: Database) -> int:
    """Create a log that belongs to no issuer."""
    connection = await asyncpg.connect(database.url)
    try:
        number: int = await connection.fetchval("SELECT max(log_id) + 1 FROM logs")
        await connection.execute("INSERT INTO logs VALUES ('pgbench', $1, clock_timestamp())", number)
        await connection.execute("INSERT INTO log_head VALUES ($1, 0, clock_timestamp())", number)
        return number
    finally:
        await connection.close()


if __name__ == "__main__":
    sys.exit(main())
