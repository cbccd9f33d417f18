"""The database alone: pgbench runs the service's own statements.

A look-up is `find` of active_tokens, for one digest or for a batch. An issuance is one call of append_events, with one
event or a batch; it creates ids and payloads in SQL, which the service does not, at a small cost. HTTP, client
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

LOG = load_statements("ledger.postgres", "event_log.sql")
TOKENS = load_statements("projections", "active_tokens.sql")

SCRIPTS = 100
"""Different look-ups, of which pgbench chooses one at random for each transaction."""

LOOKUPS_PER_QUERY = 16

EVENTS_PER_TRANSACTION = 32
"""Half of 64 connections, while the batch of the other half is being committed."""

# pgbench interprets a colon as the start of a variable, even in a string.
PAYLOAD = """convert_to(json_build_object(
    'audience', ARRAY['user-client-opaque'], 'client_id', 'user-client-opaque',
    'digest', encode(sha256(uuid_send(gen_random_uuid())), 'base64'),
    'expires_at', '2040-01-01', 'issued_at', '2024-01-01', 'jti', gen_random_uuid(),
    'scope', ARRAY['country.read', 'customer.read', 'customer.write'], 'subject', 'user-client-opaque'
)::text, 'UTF8')"""
EVENT = ("n", "1", "'token.issued'", "1::smallint", PAYLOAD)
ORIGIN = (
    "'client' || chr(58) || 'user-client-opaque'",
    "gen_random_uuid()::text",
    "'192.0.2.7'",
    "uuid_send(gen_random_uuid())",
)
"""The columns of an event, as SQL over the number n of the event in its batch."""

PROJECTIONS = ("'{active_tokens,clients}'", "'{1,1}'")

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

    Issuances go into the spare log.
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
            "`append_events` with one event; 8 connections",
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
    streams, no_guards = _each("uuidv7()", events), "'{}'"
    writes = (_each("0", events), _each("1", events))
    columns = [_each(value, events) for value in (*EVENT, *ORIGIN)]
    arguments = [str(log_id), *PROJECTIONS, streams, *writes, no_guards, no_guards, *columns]
    return bind_arguments(LOG["append_events"], arguments) + ";\n"


def _each(value: str, count: int) -> str:
    return f"ARRAY(SELECT {value} FROM generate_series(1, {count}) AS n)"  # noqa: S608 (constants)


def _program() -> str:
    from api.embedded_postgres.programs import find_programs  # noqa: PLC0415 (of the extra `embedded`)

    own = find_programs() / "pgbench"
    found = str(own) if own.exists() else shutil.which("pgbench")
    if found is None:
        msg = "pgbench is not installed. It comes with PostgreSQL, on Debian in the package postgresql-contrib."
        raise MeasurementError(msg)
    return found
