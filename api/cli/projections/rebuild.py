"""`token-ledger projections rebuild`."""

from contextlib import ExitStack
from typing import Annotated

import msgspec

from api.cli import flags
from api.cli.context import DatabaseFlags
from api.cli.output import print_fields, print_json, print_note, print_result
from api.cli.progress import show_progress
from api.cli.projections.context import Name, ProjectionContext, run_on_projection
from api.operations.archive_folder import open_archive_folder
from api.service.composition import get_process_name
from projections.rebuilding.estimate import RebuildEstimate, estimate_rebuild
from projections.rebuilding.rebuild import RebuildResult, rebuild_projection

DryRun = Annotated[bool, flags.option("--dry-run", "RebuildEstimate the work and its duration, and change nothing.")]
Restart = Annotated[bool, flags.option("--restart", "Start over instead of resuming an interrupted rebuild.")]


def rebuild(
    name: Name,
    *,
    dry_run: DryRun = False,
    restart: Restart = False,
    archives: flags.Archives = None,
    json: flags.Json = False,
    owner_dsn: flags.OwnerDsn = None,
    dsn: flags.Dsn = None,
    embedded: flags.Embedded = None,
) -> None:
    """Rebuild a projection from the logs of all issuers while the service runs, then swap it in.

    It needs the role that owns the tables. If it is interrupted or killed, the next run resumes it.
    """
    database = DatabaseFlags(owner_dsn=owner_dsn, dsn=dsn, embedded=embedded)
    if dry_run:
        expected = run_on_projection(
            database,
            name,
            lambda context: estimate_rebuild(context.dsn, context.projection, open_archive_folder(archives)),
        )
        if json:
            print_json(msgspec.to_builtins(expected))
        else:
            _print_estimate(expected)
        return

    async def work(context: ProjectionContext) -> RebuildResult:
        with ExitStack() as stack:
            return await rebuild_projection(
                context.dsn,
                context.projection,
                holder=get_process_name(),
                progress=lambda events, done: stack.enter_context(show_progress("building", events, already=done)),
                report=print_note,
                restart=restart,
                archives=open_archive_folder(archives),
            )

    rebuilt = run_on_projection(database, name, work)
    if json:
        print_json(msgspec.to_builtins(rebuilt))
        return
    print_result(
        f"rebuilt {rebuilt.projection}, version {rebuilt.version}, from {rebuilt.events:,} events "
        f"in {rebuilt.seconds:.1f} s; the swap blocked requests for {rebuilt.locked_ms:.0f} ms"
    )


def _print_estimate(expected: RebuildEstimate) -> None:
    print_fields(
        {
            "would build": f"{expected.projection}, version {expected.version}",
            "from": f"{expected.events:,} events",
            "already done": f"{expected.resumes_at:,} events, by an interrupted rebuild",
            "into": f"{', '.join(expected.tables)}, {expected.bytes:,} bytes now",
            "in about": f"{expected.seconds:.0f} s, measured on {expected.sample:,} events",
        }
    )
    print_result()
    print_result("nothing was changed")
