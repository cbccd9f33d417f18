"""The database alone: pgbench runs the service's own statements.

A look-up is `find` of active_tokens, for one digest or for a batch. An issuance is the transaction of the group commit,
with one event or a batch; it creates ids and digests in SQL, which the service does not, at a small cost. HTTP, client
authentication and the codec are left out.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders.contender import Database
from benchmarks.errors import MeasurementError
from ledger.postgres.statements import load_statements
from projections.active_tokens import ActiveTokensProjection

LOG = load_statements("ledger.postgres", "event_log.sql")
TOKENS = load_statements("projections", "active_tokens.sql")

SCRIPTS = 100
"""Different look-ups, of which pgbench chooses one at random for each transaction."""

LOOKUPS_PER_QUERY = 16

EVENTS_PER_TRANSACTION = 32
"""Half of 64 connections, while the batch of the other half is being committed."""

PAYLOAD_BYTES = 420
CLIENT = "'user-client-opaque'"
SCOPE = "'country.read customer.read customer.write'"
# pgbench interprets a colon as the start of a variable, even in a string.
ORIGIN = ("'client' || chr(58) || 'user-client-opaque'", "gen_random_uuid()::text", "'192.0.2.7'")
EVENT = ("uuidv7()", "1", "'token.issued'", "1::smallint", f"convert_to(repeat('x', {PAYLOAD_BYTES}), 'UTF8')", *ORIGIN)
ROW = ("sha256(uuid_send(gen_random_uuid()))", "uuidv7()", CLIENT, CLIENT, SCOPE, CLIENT, "1::bigint", "1::bigint")
"""Values of the columns of an event, and of a row of active_tokens."""

VERSIONS = (f"'{{{ActiveTokensProjection.name}}}'", f"'{{{ActiveTokensProjection.version}}}'")

ARGUMENT = re.compile(r"\$(\d+)")
RATE = re.compile(r"^tps = ([\d.]+) ", re.MULTILINE)


@dataclass(frozen=True)
class Ceiling:
    """One run of pgbench. Each transaction uses one of `scripts` and does `operations` look-ups or events."""

    name: str
    what: str
    operations: int
    connections: int
    scripts: Sequence[str]


def list_ceilings(log_id: int, spare_log_id: int, digests: Sequence[bytes]) -> list[Ceiling]:
    """Return the runs for a log and SCRIPTS * LOOKUPS_PER_QUERY digests to look up in it.

    Issuances go into the spare log, because their events cannot be decoded.
    """
    groups = [digests[n * LOOKUPS_PER_QUERY : (n + 1) * LOOKUPS_PER_QUERY] for n in range(SCRIPTS)]
    return [
        Ceiling(
            "look-up, one per query",
            "`find` of active_tokens with one digest, 8 connections",
            1,
            8,
            [_find(log_id, [digest]) for digest in digests[:SCRIPTS]],
        ),
        Ceiling(
            f"look-up, {LOOKUPS_PER_QUERY} per query",
            f"`find` of active_tokens with {LOOKUPS_PER_QUERY} digests, 2 connections",
            LOOKUPS_PER_QUERY,
            2,
            [_find(log_id, group) for group in groups],
        ),
        Ceiling(
            "issuance, one per transaction",
            "lock the head, `stand_of_log`, `append`, `insert` into active_tokens, COMMIT; 8 connections",
            1,
            8,
            [_issue(spare_log_id, 1)],
        ),
        Ceiling(
            f"issuance, {EVENTS_PER_TRANSACTION} per transaction",
            f"the same with {EVENTS_PER_TRANSACTION} events; 1 connection, like one process, which has one writer",
            EVENTS_PER_TRANSACTION,
            1,
            [_issue(spare_log_id, EVENTS_PER_TRANSACTION)],
        ),
        Ceiling(
            f"issuance, {EVENTS_PER_TRANSACTION} per statement",
            f"`append_at_once` with {EVENTS_PER_TRANSACTION} events, as a single process appends; 1 connection",
            EVENTS_PER_TRANSACTION,
            1,
            [_issue_at_once(spare_log_id, EVENTS_PER_TRANSACTION)],
        ),
    ]


def bind_arguments(statement: str, values: Sequence[str]) -> str:
    """Replace the arguments of a statement with SQL expressions, and remove its semicolon.

    Raises ValueError when the numbers of arguments and values differ.
    """
    numbers = {int(number) for number in ARGUMENT.findall(statement)}
    if numbers != set(range(1, len(values) + 1)):
        msg = f"{len(values)} values for the arguments {sorted(numbers)} of: {statement}"
        raise ValueError(msg)
    return ARGUMENT.sub(lambda match: values[int(match[1]) - 1], statement).rstrip().rstrip(";")


def run_pgbench(ceiling: Ceiling, database: Database, folder: Path, *, seconds: int) -> float:
    """Return the transactions per second of one run. Raises MeasurementError."""
    folder.mkdir(parents=True, exist_ok=True)
    options = []
    for number, script in enumerate(ceiling.scripts):
        file = folder / f"{number}.sql"
        file.write_text(script)
        options += ["-f", str(file)]
    address = ["-h", database.host, "-p", str(database.port), "-U", database.user]
    command = [_program(), "-n", "-M", "prepared", "-c", str(ceiling.connections), "-j", "1", "-T", str(seconds)]
    run = subprocess.run(
        [*command, *options, *address, database.name],
        env={**os.environ, "PGPASSWORD": database.password},
        capture_output=True,
        text=True,
        check=False,
    )
    found = RATE.search(run.stdout)
    if run.returncode or found is None:
        msg = f"pgbench failed at {ceiling.name}: {run.stderr.strip()[-500:]}"
        raise MeasurementError(msg)
    return float(found[1])


def _find(log_id: int, digests: Sequence[bytes]) -> str:
    array = ", ".join(f"'\\x{digest.hex()}'::bytea" for digest in digests)
    return bind_arguments(TOKENS["find"], [str(log_id), f"ARRAY[{array}]"]) + ";\n"


def _issue(log_id: int, events: int) -> str:
    begin, lock, _ = (LOG["begin_and_lock_head"] % log_id).split(";")
    stand = bind_arguments(LOG["stand_of_log"], [str(log_id), _each("uuidv7()", events), *VERSIONS])
    head = [str(log_id), "(:position)::bigint", "(:now)::timestamptz"]
    append = bind_arguments(LOG["append"], [*head, *(_each(value, events) for value in EVENT)])
    insert = bind_arguments(TOKENS["insert"], [str(log_id), *(_each(value, events) for value in ROW)])
    return (
        f"\\startpipeline\n{begin.strip()};\n{lock.strip()};\n\\endpipeline\n"
        f"{stand} \\aset\n{append};\n{insert};\nCOMMIT;\n"
    )


def _issue_at_once(log_id: int, events: int) -> str:
    stream_ids, *others = (_each(value, events) for value in EVENT)
    guards = ("'{}'", "'{}'")
    append = bind_arguments(LOG["append_at_once"], [str(log_id), stream_ids, *others, *VERSIONS, *guards])
    insert = bind_arguments(TOKENS["insert_in_append"], [str(log_id), *(_each(value, events) for value in ROW)])
    end = bind_arguments(LOG["append_at_once_end"], [str(log_id)])
    return f"{append},\ninline AS (\n{insert}\n)\n{end};\n"


def _each(value: str, count: int) -> str:
    return f"ARRAY(SELECT {value} FROM generate_series(1, {count}))"  # noqa: S608 (constants)


def _program() -> str:
    from api.embedded_postgres.programs import find_programs  # noqa: PLC0415 (of the extra `embedded`)

    own = find_programs() / "pgbench"
    found = str(own) if own.exists() else shutil.which("pgbench")
    if found is None:
        msg = "pgbench is not installed. It comes with PostgreSQL, on Debian in the package postgresql-contrib."
        raise MeasurementError(msg)
    return found
