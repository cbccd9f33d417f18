"""All checks in order, each on its own: one that cannot be made is a finding too."""

from collections.abc import Awaitable, Callable, Sequence

import asyncpg

from api.operations.doctor.findings import Finding, Patient, problem
from api.operations.doctor.ledger_checks import (
    check_demo,
    check_logs,
    check_privileges,
    check_projections,
    check_role,
    check_schema,
)
from api.operations.doctor.server_checks import (
    check_autovacuum,
    check_clock,
    check_durability,
    check_room,
    check_version,
)

Check = Callable[[Patient], Awaitable[Finding | list[Finding]]]

OF_THE_SERVER: Sequence[Check] = (
    check_version,
    check_durability,
    check_clock,
    check_autovacuum,
    check_room,
    check_role,
)
OF_THE_LEDGER: Sequence[Check] = (check_privileges, check_projections, check_logs, check_demo)


async def examine(patient: Patient) -> list[Finding]:
    """Every finding, good ones too. The ledger is looked into only where there is one. Raises connection errors."""
    findings: list[Finding] = []
    for check in OF_THE_SERVER:
        findings += await _make(check, patient)
    schema = await _make(check_schema, patient)
    findings += schema
    if all(finding.level != "problem" for finding in schema):
        for check in OF_THE_LEDGER:
            findings += await _make(check, patient)
    return findings


async def _make(check: Check, patient: Patient) -> list[Finding]:
    try:
        found = await check(patient)
    except asyncpg.InsufficientPrivilegeError as error:
        name = check.__name__.removeprefix("check_")
        advice = "Run 'token-ledger migrate' as the owner, with --service-role set to the role of this DSN."
        return [problem(name, f"could not be checked: {error}", advice)]
    return found if isinstance(found, list) else [found]
