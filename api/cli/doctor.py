"""`token-ledger doctor`: is this database fit to serve from, and if not, what to do."""

import asyncio

import asyncpg
import msgspec
import typer

from api.cli import flags
from api.cli.database import connection_errors, provide_database
from api.cli.exit_codes import ExitCode
from api.cli.output import print_json, print_result
from api.operations.doctor.examination import examine
from api.operations.doctor.findings import Finding, Patient
from api.service.settings import Settings, load_settings
from ledger.postgres.database import CONNECT_SECONDS
from migrations.head import newest_revision

MARKS = {"ok": "ok      ", "warning": "warning ", "problem": "PROBLEM "}


def doctor(
    *,
    dsn: flags.Dsn = None,
    embedded: flags.Embedded = None,
    issuers: flags.Issuers = None,
    workers: flags.Workers = None,
    pool_size: flags.PoolSize = None,
    json: flags.Json = False,
) -> None:
    """Examine the database as the service would use it, and say what to do about each finding. Changes nothing.

    Give it the service's own settings. Ends with 1 when there is a problem, with 0 when there are only warnings.
    """
    settings = load_settings(
        {"dsn": dsn, "embedded": embedded, "issuers": issuers, "workers": workers, "pool_size": pool_size}
    )
    with provide_database(settings) as dsns:
        findings = asyncio.run(_examine(settings, dsns.service_dsn))
    problems = sum(finding.level == "problem" for finding in findings)
    warnings = sum(finding.level == "warning" for finding in findings)
    if json:
        print_json({"healthy": problems == 0, "findings": [msgspec.to_builtins(finding) for finding in findings]})
    else:
        width = max(len(finding.check) for finding in findings)
        for finding in findings:
            print_result(f"{MARKS[finding.level]} {finding.check:<{width}}  {finding.found}")
            if finding.advice:
                print_result(f"{'':<{len(MARKS['ok']) + width + 1}}  -> {finding.advice}")
        print_result()
        print_result(f"{_counted(problems, 'problem')}, {_counted(warnings, 'warning')}")
    if problems:
        raise typer.Exit(int(ExitCode.REFUSED))


async def _examine(settings: Settings, dsn: str) -> list[Finding]:
    with connection_errors():
        connection = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS)
        try:
            return await examine(
                Patient(
                    connection=connection,
                    issuers=settings.issuer_identifiers(),
                    head_revision=newest_revision(),
                    connections_wanted=settings.workers * settings.pool_size,
                )
            )
        finally:
            await connection.close()


def _counted(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
