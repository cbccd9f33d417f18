"""Run all checks in order. A check that lacks a privilege becomes a problem, and the others still run."""

from collections.abc import Awaitable, Callable, Sequence

import asyncpg

from api.operations.doctor import ledger_checks as ledger
from api.operations.doctor import server_checks as server
from api.operations.doctor.checks import CheckContext, CheckResult, problem

Check = Callable[[CheckContext], Awaitable[CheckResult | list[CheckResult]]]

SERVER_CHECKS: Sequence[Check] = (
    *(server.check_version, server.check_durability, server.check_clock, server.check_autovacuum),
    *(server.check_connections, ledger.check_role),
)
LEDGER_CHECKS: Sequence[Check] = (
    *(ledger.check_privileges, ledger.check_projections, ledger.check_verification),
    *(ledger.check_logs, ledger.check_demo),
)


async def examine(context: CheckContext) -> list[CheckResult]:
    """Return the results of all checks; the ledger is checked only if its schema is. Raises connection errors."""
    results: list[CheckResult] = []
    for check in SERVER_CHECKS:
        results += await _run(check, context)
    schema = await _run(ledger.check_schema, context)
    results += schema
    if all(result.level != "problem" for result in schema):
        for check in LEDGER_CHECKS:
            results += await _run(check, context)
    return results


async def _run(check: Check, context: CheckContext) -> list[CheckResult]:
    try:
        result = await check(context)
    except asyncpg.InsufficientPrivilegeError as error:
        name = check.__name__.removeprefix("check_")
        advice = "Run 'token-ledger migrate' as the owner, with --service-role set to the role of this DSN."
        return [problem(name, f"could not be checked: {error}", advice)]
    return result if isinstance(result, list) else [result]
