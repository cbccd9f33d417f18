"""Checks of the PostgreSQL server: version, durability, clock, autovacuum, connections."""

import time
from datetime import UTC, datetime

from api.operations.doctor.checks import CheckContext, CheckResult, ok, problem, warning
from migrations.preconditions import MIN_POSTGRES_VERSION

MAX_CLOCK_DIFFERENCE_SECONDS = 1.0
"""Lifetimes are whole seconds: with a larger difference, tokens visibly expire early or late."""

CLOCK = "SELECT clock_timestamp()"
SETTING = "SELECT current_setting($1)"
ROOM = """
SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS room,
       (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user) AS role_limit
"""

DURABILITY = {
    "fsync": (
        {"on"},
        "a power failure can destroy the whole database. Set fsync = on in postgresql.conf and reload.",
    ),
    "full_page_writes": (
        {"on"},
        "a power failure can leave half-written pages. Set full_page_writes = on in postgresql.conf and reload.",
    ),
    "synchronous_commit": (
        {"on", "remote_apply", "remote_write", "local"},
        (
            "a crash can lose tokens and revocations that were confirmed. Set synchronous_commit = on, also for the "
            "service's role and database."
        ),
    ),
}


async def check_version(context: CheckContext) -> CheckResult:
    """Check the major version of the server."""
    version = context.connection.get_server_version()
    found = f"PostgreSQL {version.major}.{version.micro}"  # asyncpg parses 18.4 as 18.0.4
    if version.major < MIN_POSTGRES_VERSION:
        return problem(
            "version", found, f"The ledger needs PostgreSQL {MIN_POSTGRES_VERSION} or later: upgrade the server."
        )
    return ok("version", found)


async def check_clock(context: CheckContext) -> CheckResult:
    """Compare the clocks of this machine and the server, corrected for the round trip."""
    before, started = datetime.now(UTC), time.monotonic()
    server_time: datetime = await context.connection.fetchval(CLOCK)
    round_trip = time.monotonic() - started
    ahead = (server_time - before).total_seconds() - round_trip / 2
    found = f"the database's clock is {abs(ahead):.3f} s {'ahead of' if ahead > 0 else 'behind'} this machine's clock"
    if abs(ahead) - round_trip / 2 > MAX_CLOCK_DIFFERENCE_SECONDS:
        advice = "Tokens expire by this machine's clock, events are recorded by the database's: run NTP on both."
        return problem("clock", found, advice)
    return ok("clock", found)


async def check_durability(context: CheckContext) -> list[CheckResult]:
    """Check the settings that decide whether a confirmed append survives a crash."""
    findings = []
    for name, (safe, danger) in DURABILITY.items():
        value = await context.connection.fetchval(SETTING, name)
        found = f"{name} = {value}"
        findings.append(ok(name, found) if value in safe else problem(name, found, f"With it {danger}"))
    return findings


async def check_autovacuum(context: CheckContext) -> CheckResult:
    """Check that the server removes dead rows, which every append leaves."""
    off = [name for name in ("autovacuum", "track_counts") if await context.connection.fetchval(SETTING, name) != "on"]
    if off:
        found = " and ".join(f"{name} = off" for name in off)
        advice = (
            "Tables that every append updates grow without bound and get slow. Set it to on in postgresql.conf and "
            "reload."
        )
        return warning("autovacuum", found, advice)
    return ok("autovacuum", "on")


async def check_connections(context: CheckContext) -> CheckResult:
    """Check that the server accepts the connections of all workers."""
    row = await context.connection.fetchrow(ROOM)
    if row is None:  # a SELECT without FROM returns one row
        raise AssertionError
    limit: int = row["role_limit"]  # -1 for none
    room = row["room"] if limit < 0 else min(row["room"], limit)
    needed = context.connections_needed
    found = f"workers x pool size = {needed} connections, the server accepts {room}"
    if needed > room:
        advice = "Raise max_connections, or lower TOKEN_LEDGER_POOL_SIZE or TOKEN_LEDGER_WORKERS."
        return problem("connections", found, advice)
    if needed * 2 > room:
        advice = "Raise max_connections to run a second host, or old and new processes during an upgrade."
        return warning("connections", found, advice)
    return ok("connections", found)
