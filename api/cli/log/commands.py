"""`token-ledger log verify` and `stats`."""

from datetime import UTC, timedelta
from typing import Annotated

import msgspec
import typer

from api.cli import flags
from api.cli.context import CommandContext, DatabaseFlags, run_on_issuer
from api.cli.exit_codes import ExitCode
from api.cli.output import format_instant, print_fields, print_json, print_result, print_table
from api.cli.progress import show_progress
from api.operations.archive_folder import open_archive_folder
from ledger.domain.clock import utc_now
from ledger.postgres.log_statistics import LogStatistics, count_log
from ledger.postgres.log_verification import LogVerification, verify_log
from ledger.postgres.whole_log import LogBounds, read_log_bounds

FindingsShown = Annotated[int, flags.option("--findings", "How many findings are shown; all are counted.", min=1)]
Days = Annotated[int, flags.option("--days", "How many of the last days are shown.", min=1, max=366)]


def verify(
    *,
    findings: FindingsShown = 20,
    archives: flags.Archives = None,
    json: flags.Json = False,
    dsn: flags.Dsn = None,
    embedded: flags.Embedded = None,
    issuers: flags.Issuers = None,
    issuer: flags.IssuerChoice = None,
) -> None:
    """Verify that the log is complete and consistent, from its first event to the newest at the start.

    Archived events are read from --archives. Without it, only the events still in the log are verified.
    """

    async def work(context: CommandContext) -> tuple[str, LogVerification]:
        log = context.log
        bounds = await read_log_bounds(log)
        with show_progress("verifying", bounds.head.position, passes=2) as progress:
            folder = open_archive_folder(archives)
            return log.name, await verify_log(log, bounds, limit=findings, progress=progress, folder=folder)

    log_name, found = run_on_issuer(DatabaseFlags(dsn=dsn, embedded=embedded, issuers=issuers, issuer=issuer), work)
    if json:
        print_json({"log": log_name, "sound": found.sound} | msgspec.to_builtins(found))
    else:
        _print_verification(log_name, found)
    if not found.sound:
        raise typer.Exit(int(ExitCode.REFUSED))


def stats(
    *,
    days: Days = 7,
    json: flags.Json = False,
    dsn: flags.Dsn = None,
    embedded: flags.Embedded = None,
    issuers: flags.Issuers = None,
    issuer: flags.IssuerChoice = None,
) -> None:
    """Count the events of the log by topic and by day, its streams and its bytes."""

    async def work(context: CommandContext) -> tuple[str, LogStatistics, LogBounds]:
        bounds = await read_log_bounds(context.log)
        with show_progress("counting", bounds.head.position) as progress:
            return context.log.name, await count_log(context.log, bounds, progress), bounds

    log_name, numbers, bounds = run_on_issuer(
        DatabaseFlags(dsn=dsn, embedded=embedded, issuers=issuers, issuer=issuer), work
    )
    today = utc_now().astimezone(UTC).date()
    numbers.days = {day: numbers.days.get(day, 0) for day in (today - timedelta(days=ago) for ago in range(days))}
    if json:
        positions = {"position": bounds.head.position, "archived_until": bounds.archived_until}
        print_json({"log": log_name} | positions | msgspec.to_builtins(numbers))
    else:
        _print_statistics(log_name, numbers, bounds)


def _print_verification(log_name: str, found: LogVerification) -> None:
    if found.sound:
        print_result(f"log {log_name!r} is sound: {found.events:,} events")
        if found.events < found.head.position:
            print_result(f"events up to position {found.archived:,} are archived; verify them with --archives")
        return
    print_table(("POSITION", "FINDING"), [(str(finding.position), finding.what) for finding in found.findings])
    print_result()
    shown = "" if found.count == len(found.findings) else f", of which the first {len(found.findings)} are shown"
    print_result(f"log {log_name!r} is NOT sound: {found.count:,} findings in {found.events:,} events{shown}")


def _print_statistics(log_name: str, numbers: LogStatistics, bounds: LogBounds) -> None:
    archived = {}
    if bounds.archives:
        archived["archived"] = f"up to position {bounds.archived_until:,}; only events still in the log are counted"
    print_fields(
        {
            "log": log_name,
            **archived,
            "events": f"{numbers.events:,}",
            "streams": f"{numbers.streams:,}",
            "first": format_instant(numbers.first),
            "last": format_instant(numbers.last),
            "payloads": f"{numbers.payload_bytes:,} bytes",
            "table": f"{numbers.table_bytes:,} bytes, of all logs",
            "indexes": f"{numbers.index_bytes:,} bytes, of all logs",
        }
    )
    print_result()
    print_table(("TOPIC", "EVENTS"), [(topic, f"{count:,}") for topic, count in sorted(numbers.topics.items())])
    print_result()
    print_table(("DAY (UTC)", "EVENTS"), [(day.isoformat(), f"{count:,}") for day, count in numbers.days.items()])
