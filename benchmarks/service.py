"""Measures the service, beside an empty aiohttp handler and pgbench, and writes what it found as JSON.

    python -m benchmarks.service [--short] [--folder docs/benchmarks]

`python -m benchmarks.report` makes the report of it.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import asyncpg

from benchmarks.ceilings.empty_handler import empty_handler
from benchmarks.ceilings.pgbench import SCRIPTS, TOGETHER, Ceiling, ceilings, transactions_a_second
from benchmarks.command import benchmark, passing_folder
from benchmarks.comparison import Findings
from benchmarks.contenders.asking import answered
from benchmarks.contenders.catalogue import OURS
from benchmarks.contenders.contender import Database
from benchmarks.contenders.token_ledger import CONTENDER, TokenLedgerRunning, as_owner
from benchmarks.database_server import database_server
from benchmarks.load.kinds import WORKLOADS
from benchmarks.load.request import Request
from benchmarks.load.subject import Subject
from benchmarks.load.wrk import check_installed
from benchmarks.load.zipf import zipf_choices
from benchmarks.machine import commit, machine, now, tools
from benchmarks.measuring import Measuring, say
from benchmarks.numbered_tokens import CLIENTS, client_name, token
from benchmarks.report.places import FOLDER, service_file
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
from benchmarks.served_log import ServedLog, filled
from ledger.domain.secrets import hash_token

METHOD = Method(
    connections=64, seconds=2, repetitions=5, paced_seconds=5, paced_repetitions=3, tokens=1_000_000, rebuilds=1
)
SHORT = Method(
    connections=64, seconds=1, repetitions=1, paced_seconds=2, paced_repetitions=1, tokens=20_000, rebuilds=1
)

REBUILD_SECONDS = 600.0
PROJECTIONS = ("active_tokens", "token_history")
HISTORIES_A_SECOND, PAGES_A_SECOND = 200, 50
QUESTIONS = 1000


@benchmark
def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 1 when there is no measurement."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service", description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="a look in a minute or two; its numbers say little")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to write what was found")
    options = parser.parse_args(arguments)
    check_installed()
    with passing_folder() as folder:
        write_results(_measure(folder, SHORT if options.short else METHOD), service_file(options.folder))
    return 0


def _measure(folder: Path, method: Method) -> Results:
    where = machine()
    versions = {OURS: dict(CONTENDER.set_up(folder))}
    found = Findings()
    rebuilds: list[Rebuild] = []
    statements: list[Statements] = []
    with database_server(folder / "postgres") as server:
        server.write_the_wal_once()
        versions["tools"] = tools(server.version())
        served = filled(server, folder, method.tokens)
        measuring = Measuring(server, folder, method)
        found.attempt("rebuilding projections", lambda: rebuilds.extend(_rebuild(served, method)))
        with served.by(1) as (ours, running), empty_handler(folder, running) as empty:
            handler = Subject(EMPTY_HANDLER, 1, empty, ours.asked, forgets=True)
            found.press(measuring, [handler, ours], [ISSUE, LIVE, MIX, REVOKE, MIXED])
            found.press(measuring, [ours], [REVOKED, UNKNOWN])
            found.pace(measuring, [handler, ours], [MIX, ISSUE])
            found.attempt("audit", lambda: _audit(measuring, found, served, ours, running))
        found.attempt("two workers", lambda: found.series.extend(_workers(measuring, served, method)))
        found.attempt("pgbench", lambda: statements.extend(_pgbench(served, method)))
    return Results(
        taken_at=now(),
        commit=commit(),
        machine=where,
        method=method,
        versions=versions,
        notes={OURS: CONTENDER.notes},
        series=found.series,
        latencies=found.latencies,
        statements=statements,
        rebuilds=rebuilds,
        absent=found.absent,
    )


def _rebuild(served: ServedLog, method: Method) -> Iterator[Rebuild]:
    for name in PROJECTIONS:
        say(f"rebuild of {name}")
        rebuilt, verified, events = [], [], 0
        for _ in range(method.rebuilds):
            answer = json.loads(
                as_owner(served.database, "projections", "rebuild", name, "--json", seconds=REBUILD_SECONDS)
            )
            rebuilt.append(answer["seconds"])
            events = answer["events"]
            checked = as_owner(served.database, "projections", "verify", name, "--json", seconds=REBUILD_SECONDS)
            verified.append(json.loads(checked)["seconds"])
        yield Rebuild(projection=name, events=events, rebuilt=rebuilt, verified=verified)


def _audit(
    measuring: Measuring, found: Findings, served: ServedLog, ours: Subject, running: TokenLedgerRunning
) -> None:
    tokens, random = served.log.tokens, Random(0)  # noqa: S311 (a choice of questions)
    bearer = {"Authorization": f"Bearer {answered(running.issue_to_auditor())['access_token']}"}
    numbers = [random.randrange(tokens.count) for _ in range(QUESTIONS)]
    histories = [Request(running.audit_url(f"/tokens/{tokens.jti(n)}/events"), headers=bearer) for n in numbers]
    pages = []
    for number in numbers:
        as_of = tokens.recorded_at(max(number, tokens.count // 10)).isoformat().replace("+00:00", "Z")
        client = client_name(random.randrange(CLIENTS))
        choice = random.choice((f"client_id={client}", "status=revoked", f"client_id={client}&status=active"))
        pages.append(Request(running.audit_url(f"/tokens?as_of={as_of}&limit=100&{choice}"), headers=bearer))
    for name, rate, requests in (
        (AUDIT_HISTORY, HISTORIES_A_SECOND, histories),
        (AUDIT_PAGE, PAGES_A_SECOND, pages),
    ):
        found.series.append(measuring.closed_requests(ours, name, requests))
        found.latencies.extend(measuring.paced_requests([(ours, rate, requests)], name))


def _workers(measuring: Measuring, served: ServedLog, method: Method) -> list[Series]:
    """One process and two in turn, each started anew: together they would follow the log for one another."""
    say("one worker and two")
    runs: dict[tuple[int, str], list[Run]] = {(processes, name): [] for processes in (1, 2) for name in (ISSUE, MIX)}
    for _ in range(method.paced_repetitions):
        for processes in (1, 2):
            with served.by(processes) as (subject, _):
                for name in (ISSUE, MIX):
                    measuring.press(subject, WORKLOADS[name], 1)
                    runs[processes, name].append(measuring.press(subject, WORKLOADS[name], method.seconds))
    return [
        Series(contender=f"{OURS}, restarted", processes=processes, workload=name, runs=taken)
        for (processes, name), taken in runs.items()
    ]


def _pgbench(served: ServedLog, method: Method) -> Iterator[Statements]:
    say("pgbench")
    spare = asyncio.run(_spare_log(served.database))
    numbers = zipf_choices(served.log.tokens.count, SCRIPTS * TOGETHER, Random(0))  # noqa: S311 (a choice)
    asked = [hash_token(token(number)) for number in numbers]
    measured: list[tuple[Ceiling, list[float]]] = [
        (ceiling, []) for ceiling in ceilings(served.log.log_id, spare, asked)
    ]
    for _ in range(method.paced_repetitions):
        for ceiling, taken in measured:
            rate = transactions_a_second(ceiling, served.database, served.folder / "pgbench", seconds=method.seconds)
            taken.append(rate)
    for ceiling, taken in measured:
        yield Statements(name=ceiling.name, what=ceiling.what, operations=ceiling.operations, transactions=taken)


async def _spare_log(database: Database) -> int:
    """A log that no issuer has."""
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
