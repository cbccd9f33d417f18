"""The database alone: pgbench does what the service has PostgreSQL do, by the service's own statements.

A look-up is `find` of active_tokens, of one digest or of as many as requests that arrive together share. An issuance is
the transaction of the group commit, of one event or of many; ids and digests are made in SQL, which costs a little that
the service does not have PostgreSQL do. What is left out is everything else: HTTP, authentication of the client, codec.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cannot_measure import CannotMeasure
from benchmarks.contenders.contender import Database
from ledger.postgres.statements import load_statements
from projections.active_tokens import ActiveTokensProjection

LOG = load_statements("ledger.postgres", "event_log.sql")
TOKENS = load_statements("projections", "active_tokens.sql")

SCRIPTS = 100
"""Different look-ups; pgbench takes one of them at random for each transaction."""

TOGETHER = 16
"""Look-ups in one query, where many share one."""

ISSUED_TOGETHER = 32
"""Events in one transaction, where many share one: half of 64 connections, while the other half is being committed."""

PAYLOAD_BYTES = 420
CLIENT = "'user-client-opaque'"
SCOPE = "'country.read customer.read customer.write'"
# pgbench would take what follows a colon for a variable, in a string too.
WHO = ("'client' || chr(58) || 'user-client-opaque'", "gen_random_uuid()::text", "'192.0.2.7'")
EVENT = ("uuidv7()", "1", "'token.issued'", "1::smallint", f"convert_to(repeat('x', {PAYLOAD_BYTES}), 'UTF8')", *WHO)
ROW = ("sha256(uuid_send(gen_random_uuid()))", "uuidv7()", CLIENT, CLIENT, SCOPE, CLIENT, "1::bigint", "1::bigint")
"""Values of the columns of an event, and of a row of active_tokens."""

VERSIONS = (f"'{{{ActiveTokensProjection.name}}}'", f"'{{{ActiveTokensProjection.version}}}'")

ARGUMENT = re.compile(r"\$(\d+)")
RATE = re.compile(r"^tps = ([\d.]+) ", re.MULTILINE)


@dataclass(frozen=True)
class Ceiling:
    """What one run of pgbench does. `scripts` are alternatives, by so many connections at once."""

    name: str
    what: str
    operations: int
    connections: int
    scripts: Sequence[str]


def ceilings(log_id: int, spare_log_id: int, digests: Sequence[bytes]) -> list[Ceiling]:
    """Of a log and SCRIPTS * TOGETHER digests to look up in it, in the order in which they are asked for.

    What is issued goes into another log, because no service can make sense of it.
    """
    groups = [digests[n * TOGETHER : (n + 1) * TOGETHER] for n in range(SCRIPTS)]
    return [
        Ceiling(
            "look-up, one a query",
            "`find` of active_tokens with one digest, 8 connections",
            1,
            8,
            [_find(log_id, [digest]) for digest in digests[:SCRIPTS]],
        ),
        Ceiling(
            f"look-up, {TOGETHER} a query",
            f"`find` of active_tokens with {TOGETHER} digests, 2 connections",
            TOGETHER,
            2,
            [_find(log_id, group) for group in groups],
        ),
        Ceiling(
            "issuance, one a transaction",
            "lock the head, `stand_of_log`, `append`, `insert` into active_tokens, COMMIT; 8 connections",
            1,
            8,
            [_issue(spare_log_id, 1)],
        ),
        Ceiling(
            f"issuance, {ISSUED_TOGETHER} a transaction",
            f"the same with {ISSUED_TOGETHER} events; 1 connection, as one process has one that writes",
            ISSUED_TOGETHER,
            1,
            [_issue(spare_log_id, ISSUED_TOGETHER)],
        ),
        Ceiling(
            f"issuance, {ISSUED_TOGETHER} a statement",
            f"`append_at_once` with {ISSUED_TOGETHER} events, as one process alone appends; 1 connection",
            ISSUED_TOGETHER,
            1,
            [_issue_at_once(spare_log_id, ISSUED_TOGETHER)],
        ),
    ]


def bound(statement: str, values: Sequence[str]) -> str:
    """A statement with SQL in place of its arguments, without its end. Raises ValueError unless each has one."""
    wanted = {int(number) for number in ARGUMENT.findall(statement)}
    if wanted != set(range(1, len(values) + 1)):
        msg = f"{len(values)} values for the arguments {sorted(wanted)} of: {statement}"
        raise ValueError(msg)
    return ARGUMENT.sub(lambda match: values[int(match[1]) - 1], statement).rstrip().rstrip(";")


def transactions_a_second(ceiling: Ceiling, database: Database, folder: Path, *, seconds: int) -> float:
    """What pgbench says of one run. Raises CannotMeasure."""
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
        raise CannotMeasure(msg)
    return float(found[1])


def _find(log_id: int, digests: Sequence[bytes]) -> str:
    array = ", ".join(f"'\\x{digest.hex()}'::bytea" for digest in digests)
    return bound(TOKENS["find"], [str(log_id), f"ARRAY[{array}]"]) + ";\n"


def _issue(log_id: int, events: int) -> str:
    begin, lock, _ = (LOG["begin_and_lock_head"] % log_id).split(";")
    stand = bound(LOG["stand_of_log"], [str(log_id), _each("uuidv7()", events), *VERSIONS])
    head = [str(log_id), "(:position)::bigint", "(:now)::timestamptz"]
    append = bound(LOG["append"], [*head, *(_each(value, events) for value in EVENT)])
    insert = bound(TOKENS["insert"], [str(log_id), *(_each(value, events) for value in ROW)])
    return (
        f"\\startpipeline\n{begin.strip()};\n{lock.strip()};\n\\endpipeline\n"
        f"{stand} \\aset\n{append};\n{insert};\nCOMMIT;\n"
    )


def _issue_at_once(log_id: int, events: int) -> str:
    stream_ids, *others = (_each(value, events) for value in EVENT)
    guards = ("'{}'", "'{}'")
    append = bound(LOG["append_at_once"], [str(log_id), stream_ids, *others, *VERSIONS, *guards])
    insert = bound(TOKENS["insert_in_append"], [str(log_id), *(_each(value, events) for value in ROW)])
    end = bound(LOG["append_at_once_end"], [str(log_id)])
    return f"{append},\ninline AS (\n{insert}\n)\n{end};\n"


def _each(value: str, count: int) -> str:
    return f"ARRAY(SELECT {value} FROM generate_series(1, {count}))"  # noqa: S608 (constants)


def _program() -> str:
    from api.embedded_postgres.binaries import find_binaries  # noqa: PLC0415 (of the extra `embedded`)

    own = find_binaries().home / "bin" / "pgbench"
    found = str(own) if own.exists() else shutil.which("pgbench")
    if found is None:
        msg = "pgbench is not installed. It comes with PostgreSQL, on Debian in the package postgresql-contrib."
        raise CannotMeasure(msg)
    return found
