"""`token-ledger doctor`."""

import asyncio

import asyncpg
import msgspec
import typer

from api.cli.exit_codes import ExitCode
from api.cli.output import print_json, print_result
from api.operations.database import connection_errors, provide_database
from api.operations.doctor.checks import CheckContext, CheckResult
from api.operations.doctor.examination import examine
from api.service.settings import Settings
from ledger.postgres.database import CONNECT_SECONDS
from migrations.head import newest_revision

LABELS = {"ok": "ok      ", "warning": "warning ", "problem": "PROBLEM "}


def doctor(ctx: typer.Context) -> None:
    """Check that the service can run on this database, and how to fix what it finds. It changes nothing.

    Give it the settings of the service. The exit code is 1 if there is a problem, 0 if there are only warnings.
    """
    settings = ctx.obj.load_settings()
    with provide_database(settings) as dsns:
        results = asyncio.run(_examine(settings, dsns.service_dsn))
    problems = sum(result.level == "problem" for result in results)
    warnings = sum(result.level == "warning" for result in results)
    if ctx.obj.json:
        print_json({"healthy": problems == 0, "findings": [msgspec.to_builtins(result) for result in results]})
    else:
        width = max(len(result.check) for result in results)
        for result in results:
            print_result(f"{LABELS[result.level]} {result.check:<{width}}  {result.found}")
            if result.advice:
                print_result(f"{'':<{len(LABELS['ok']) + width + 1}}  -> {result.advice}")
        print_result()
        print_result(f"{_count(problems, 'problem')}, {_count(warnings, 'warning')}")
    if problems:
        raise typer.Exit(int(ExitCode.REFUSED))


async def _examine(settings: Settings, dsn: str) -> list[CheckResult]:
    with connection_errors():
        connection = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS)
        try:
            return await examine(
                CheckContext(
                    connection=connection,
                    issuers=settings.issuer_identifiers(),
                    head_revision=newest_revision(),
                    connections_needed=settings.workers * settings.pool_size,
                )
            )
        finally:
            await connection.close()


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
