"""`token-ledger log export` and `import`."""

from typing import Annotated

import typer

from api.cli import flags
from api.cli.context import CommandContext, DatabaseFlags, run_on_issuer
from api.cli.output import format_instant, print_json, print_note, print_result
from api.cli.progress import show_progress
from api.operations.export_files import STANDARD_STREAM
from api.operations.export_log import export_log as run_export
from api.operations.export_log import import_log as run_import
from ledger.archive.export_format import ExportHeader

Target = Annotated[
    str,
    typer.Argument(
        metavar="FILE", help=f"The file to write, compressed if its name ends in .gz; {STANDARD_STREAM} is stdout."
    ),
]
Source = Annotated[
    str, typer.Argument(metavar="FILE", help=f"The export to read, compressed or not; {STANDARD_STREAM} is stdin.")
]
After = Annotated[
    int,
    flags.option("--after", "Export only events after this position.", "POSITION", variable="AFTER_POSITION", min=0),
]
Until = Annotated[
    int | None,
    flags.option("--until", "Export only events up to this position.", "POSITION", variable="UNTIL_POSITION", min=1),
]
Compress = Annotated[bool, flags.option("--compress", "Compress with gzip, whatever the name of the file.")]
Force = Annotated[bool, flags.option("--force", "Replace an existing file.")]


def export_log(
    file: Target,
    *,
    after: After = 0,
    until: Until = None,
    archives: flags.Archives = None,
    compress: Compress = False,
    force: Force = False,
    dsn: flags.Dsn = None,
    embedded: flags.Embedded = None,
    issuers: flags.Issuers = None,
    issuer: flags.IssuerChoice = None,
) -> None:
    """Write the log to a file: a complete backup, including digests of tokens and hashes of secrets.

    Archived events are read from --archives. Without it, the export must start --after the archived events.
    """
    database = DatabaseFlags(dsn=dsn, embedded=embedded, issuers=issuers, issuer=issuer)
    header, end = run_on_issuer(
        database,
        lambda context: run_export(
            context.log,
            context.identifier.url,
            file,
            after=after,
            until=until,
            archives=archives,
            compress=compress,
            force=force,
            show_progress=show_progress,
        ),
    )
    print_line = print_note if file == STANDARD_STREAM else print_result
    print_line(f"exported {end.events:,} events of log {header.log!r}, up to position {header.until}")
    print_line(f"sha256 of the events  {end.events_sha256}")


def import_log(
    file: Source,
    *,
    json: flags.Json = False,
    owner_dsn: flags.OwnerDsn = None,
    dsn: flags.Dsn = None,
    embedded: flags.Embedded = None,
    issuers: flags.Issuers = None,
    issuer: flags.IssuerChoice = None,
) -> None:
    """Restore an export into the issuer's empty log. An invalid export is refused as a whole.

    It needs the role that owns the tables.
    """
    database = DatabaseFlags(owner_dsn=owner_dsn, dsn=dsn, embedded=embedded, issuers=issuers, issuer=issuer)

    async def work(context: CommandContext) -> tuple[str, ExportHeader]:
        return context.log.name, await run_import(context.log, file, show_progress)

    log_name, header = run_on_issuer(database, work, as_owner=True)
    if json:
        print_json({"log": log_name, "events": header.until, "exported_from": header.issuer})
        return
    print_result(f"imported {header.until:,} events into log {log_name!r}")
    print_result(f"exported from {header.issuer} at {format_instant(header.exported_at)}")
