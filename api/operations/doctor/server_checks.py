"""Checks of the PostgreSQL server: its version, durability, clock, vacuuming, and its room for connections."""

import time
from datetime import UTC, datetime

from api.operations.doctor.findings import Finding, Patient, ok, problem, warning
from migrations.preconditions import MIN_POSTGRES_VERSION

TOLERATED_SECONDS = 1.0
"""Tokens live in whole seconds: clocks that differ by more end them visibly early or late."""

CLOCK = "SELECT clock_timestamp()"
SETTING = "SELECT current_setting($1)"
ROOM = """
SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS room,
       (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user) AS role_limit
"""

DURABILITY = {
    "fsync": (
        {"on"},
        "a power cut can destroy the whole database. Set fsync = on in postgresql.conf and reload.",
    ),
    "full_page_writes": (
        {"on"},
        "a power cut can leave half-written pages. Set full_page_writes = on in postgresql.conf and reload.",
    ),
    "synchronous_commit": (
        {"on", "remote_apply", "remote_write", "local"},
        (
            "a crash can lose tokens and revocations that were answered. Set synchronous_commit = on, also for the "
            "service's role and database."
        ),
    ),
}


async def check_version(patient: Patient) -> Finding:
    """The server's major version."""
    version = patient.connection.get_server_version()
    found = f"PostgreSQL {version.major}.{version.micro}"  # the library has 18.4 as 18.0.4
    if version.major < MIN_POSTGRES_VERSION:
        return problem(
            "version", found, f"The ledger needs PostgreSQL {MIN_POSTGRES_VERSION} or later: upgrade the server."
        )
    return ok("version", found)


async def check_clock(patient: Patient) -> Finding:
    """The difference between the clock here and the server's, less the way there."""
    before, started = datetime.now(UTC), time.monotonic()
    there: datetime = await patient.connection.fetchval(CLOCK)
    travelled = time.monotonic() - started
    ahead = (there - before).total_seconds() - travelled / 2
    found = f"the database's clock is {abs(ahead):.3f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
    if abs(ahead) - travelled / 2 > TOLERATED_SECONDS:
        advice = "Tokens expire by this machine's clock and are recorded by the database's: run NTP on both."
        return problem("clock", found, advice)
    return ok("clock", found)


async def check_durability(patient: Patient) -> list[Finding]:
    """The settings that decide whether what was answered survives a crash."""
    findings = []
    for name, (fit, danger) in DURABILITY.items():
        value = await patient.connection.fetchval(SETTING, name)
        found = f"{name} = {value}"
        findings.append(ok(name, found) if value in fit else problem(name, found, f"With it {danger}"))
    return findings


async def check_autovacuum(patient: Patient) -> Finding:
    """Whether the server removes dead rows by itself. Each append leaves some."""
    off = [name for name in ("autovacuum", "track_counts") if await patient.connection.fetchval(SETTING, name) != "on"]
    if off:
        found = " and ".join(f"{name} = off" for name in off)
        advice = (
            "The tables that change with every append grow for ever, and slow down. Set it on in postgresql.conf and "
            "reload."
        )
        return warning("autovacuum", found, advice)
    return ok("autovacuum", "on")


async def check_room(patient: Patient) -> Finding:
    """Whether the connections of all workers fit."""
    row = await patient.connection.fetchrow(ROOM)
    if row is None:  # a SELECT without FROM has a row
        raise AssertionError
    limit: int = row["role_limit"]  # -1 for none
    room = row["room"] if limit < 0 else min(row["room"], limit)
    wanted = patient.connections_wanted
    found = f"workers x pool size = {wanted} connections, the server has room for {room}"
    if wanted > room:
        advice = "Raise max_connections, or lower TOKEN_LEDGER_POOL_SIZE or TOKEN_LEDGER_WORKERS."
        return problem("connections", found, advice)
    if wanted * 2 > room:
        advice = "It leaves no room for a second host, nor for old and new processes side by side in an upgrade."
        return warning("connections", found, advice)
    return ok("connections", found)
