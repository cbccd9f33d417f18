"""`token-ledger log export` and `import`: a log as a file, and back."""

from typing import Annotated

import typer

from api.cli import flags
from api.cli.context import LogDesk, log_command
from api.cli.log.commands import log
from api.cli.output import format_instant, print_json, print_note, print_result
from api.cli.progress import events_done
from api.operations.archive_folder import open_archive_folder
from api.operations.errors import OperationError, UsageError
from api.operations.export_files import STANDARD_STREAM, open_export_to_read, open_export_to_write
from ledger.archive.export_format import ExportWriter, build_header
from ledger.archive.export_reader import ExportReader
from ledger.domain.clock import utc_now
from ledger.domain.errors import InvalidExport
from ledger.domain.recording import EventMapper
from ledger.postgres.archive.restoration import Restoration
from ledger.postgres.whole_log import read_event_pages, read_log_bounds
from projections.catalogue import inline_projections

Target = Annotated[
    str,
    typer.Argument(
        metavar="FILE", help=f"The file to write, compressed if it ends in .gz; {STANDARD_STREAM} for stdout."
    ),
]
Source = Annotated[
    str, typer.Argument(metavar="FILE", help=f"The export to read, compressed or not; {STANDARD_STREAM} for stdin.")
]
After = Annotated[
    int,
    flags.of_command(
        "AFTER_POSITION", "--after", metavar="POSITION", min=0, help="Leave out the events up to this position."
    ),
]
Until = Annotated[
    int | None,
    flags.of_command(
        "UNTIL_POSITION", "--until", metavar="POSITION", min=1, help="Leave out the events after this position."
    ),
]
Compress = Annotated[bool, flags.of_command("COMPRESS", "--compress", help="Compress with gzip, whatever the name.")]
Force = Annotated[bool, flags.of_command("FORCE", "--force", help="Replace the file if it is there.")]


@log.command("export")
@log_command
async def export(
    desk: LogDesk,
    file: Target,
    *,
    after: After = 0,
    until: Until = None,
    archives: flags.Archives = None,
    compress: Compress = False,
    force: Force = False,
) -> None:
    """Write the log to a file: a backup with all that is recorded, digests and hashes of secrets included.

    What is archived is read with --archives; without, an export begins --after it.
    """
    bounds = await read_log_bounds(desk.log)
    folder = open_archive_folder(archives)
    head = bounds.head.position
    if after > head or (until is not None and until <= after):
        up_to = f" and up to {until}" if until else ""
        msg = f"there is nothing after position {after}{up_to}: the log ends at {head}"
        raise UsageError(msg)
    if after < bounds.archived_until and folder is None:
        msg = (
            f"the events up to position {bounds.archived_until} are archived, and not in the log any more: "
            f"give their folder as --archives, or begin --after {bounds.archived_until}"
        )
        raise OperationError(msg)
    header = build_header(
        issuer=desk.identifier.url, log=desk.log.name, head=head, exported_at=utc_now(), after=after, until=until
    )
    lines = ExportWriter(header)
    with (
        events_done("exporting", header.until - header.after) as done,
        open_export_to_write(file, compress=compress, force=force) as write,
    ):
        write(lines.header())
        async for page in read_event_pages(desk.log, bounds, header.after, header.until, folder):
            write(b"".join(map(lines.event, page)))
            done(len(page))
        last, end = lines.end()
        write(last)
    told = print_note if file == STANDARD_STREAM else print_result
    told(f"exported {end.events:,} events of log {desk.log.name!r}, up to position {header.until}")
    told(f"sha256 of the events  {end.events_sha256}")


@log.command("import")
@log_command
async def import_(desk: LogDesk, file: Source, *, json: flags.Json = False) -> None:
    """Restore an export into the empty log of the issuer: all of it or, when anything is wrong with it, nothing."""
    try:
        with open_export_to_read(file) as lines:
            archive = ExportReader(lines)
            header = archive.header
            with events_done("importing", header.until - header.after, passes=2) as done:
                await Restoration(desk.log, archive, inline_projections(EventMapper()), done).run()
    except InvalidExport as error:
        msg = f"{'standard input' if file == STANDARD_STREAM else file}: {error}\nNothing was imported."
        raise OperationError(msg) from error
    if json:
        print_json({"log": desk.log.name, "events": header.until, "exported_from": header.issuer})
        return
    print_result(f"imported {header.until:,} events into log {desk.log.name!r}")
    print_result(f"exported from {header.issuer} at {format_instant(header.exported_at)}")
