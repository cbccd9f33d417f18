"""Export a log to a file, and restore an export into an empty log."""

from api.operations.archive_folder import ArchiveFolder
from api.operations.archive_log import ShowProgress
from api.operations.errors import OperationError, UsageError
from api.operations.export_files import STANDARD_STREAM, open_export_to_read, open_export_to_write, write_export
from ledger.archive.export_format import ExportEnd, ExportHeader, build_header
from ledger.archive.export_reader import ExportReader
from ledger.domain.clock import utc_now
from ledger.domain.errors import InvalidExport
from ledger.domain.recording import EventMapper
from ledger.postgres.archive.restoration import Restoration
from ledger.postgres.logs import Log
from ledger.postgres.whole_log import read_event_pages, read_log_bounds
from projections.catalogue import inline_projections


async def export_log(
    log: Log,
    issuer_url: str,
    file: str,
    *,
    after: int,
    until: int | None,
    archives: ArchiveFolder | None,
    compress: bool,
    force: bool,
    show_progress: ShowProgress,
) -> tuple[ExportHeader, ExportEnd]:
    """Write the events between two positions to a file, archived ones from their archives.

    Raises UsageError when there are no such events, OperationError when some are archived and `archives` is None.
    """
    bounds = await read_log_bounds(log)
    head = bounds.head.position
    if after > head or (until is not None and until <= after):
        up_to = f" and up to {until}" if until else ""
        msg = f"there are no events after position {after}{up_to}: the log ends at {head}"
        raise UsageError(msg)
    if after < bounds.archived_until and archives is None:
        msg = (
            f"the events up to position {bounds.archived_until} are archived and no longer in the log: "
            f"give their folder as --archives, or export with --after {bounds.archived_until}"
        )
        raise OperationError(msg)
    header = build_header(issuer=issuer_url, log=log.name, head=head, exported_at=utc_now(), after=after, until=until)
    pages = read_event_pages(log, bounds, header.after, header.until, archives)
    with (
        show_progress("exporting", header.until - header.after) as progress,
        open_export_to_write(file, compress=compress, force=force) as write,
    ):
        return header, await write_export(write, header, pages, progress)


async def import_log(log: Log, file: str, show_progress: ShowProgress) -> ExportHeader:
    """Restore an export into an empty log: all of it, or nothing if it is invalid. Raises OperationError, Refusal."""
    try:
        with open_export_to_read(file) as lines:
            archive = ExportReader(lines)
            header = archive.header
            with show_progress("importing", header.until - header.after, passes=2) as progress:
                await Restoration(log, archive, inline_projections(EventMapper()), progress).run()
    except InvalidExport as error:
        msg = f"{'standard input' if file == STANDARD_STREAM else file}: {error}\nNothing was imported."
        raise OperationError(msg) from error
    return header
