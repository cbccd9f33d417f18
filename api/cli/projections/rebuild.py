"""`token-ledger projections rebuild`: build a projection anew beside its live tables, and swap it in."""

from contextlib import ExitStack
from typing import Annotated

import msgspec

from api.cli import flags
from api.cli.output import print_fields, print_json, print_note, print_result
from api.cli.progress import events_done
from api.cli.projections.commands import projections
from api.cli.projections.context import Name, run_on_projection
from api.operations.archive_folder import open_archive_folder
from api.service.composition import get_process_name
from api.service.settings import load_settings
from projections.projection import Projection
from projections.rebuilding.estimate import RebuildEstimate, estimate_rebuild
from projections.rebuilding.rebuild import RebuildResult, rebuild_projection

DryRun = Annotated[
    bool, flags.of_command("DRY_RUN", "--dry-run", help="Say what it would do and for how long, and change nothing.")
]
Restart = Annotated[
    bool,
    flags.of_command("RESTART", "--restart", help="Begin anew also where an interrupted build could be gone on with."),
]


@projections.command("rebuild")
def rebuild_(
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
    """Build a projection anew from the log, of all issuers, while the service runs, and swap it in.

    It needs the role that owns the tables. When it is interrupted or killed, the next one goes on from there.
    """
    settings = load_settings({"owner_dsn": owner_dsn, "dsn": dsn, "embedded": embedded})
    if dry_run:
        expected = run_on_projection(
            settings, name, lambda dsn, projection: estimate_rebuild(dsn, projection, open_archive_folder(archives))
        )
        print_json(msgspec.to_builtins(expected)) if json else _show_estimate(expected)
        return

    async def work(dsn: str, projection: Projection) -> RebuildResult:
        with ExitStack() as shown:
            return await rebuild_projection(
                dsn,
                projection,
                holder=get_process_name(),
                progress=lambda events, done: shown.enter_context(events_done("building", events, already=done)),
                tell=print_note,
                restart=restart,
                archives=open_archive_folder(archives),
            )

    rebuilt = run_on_projection(settings, name, work)
    if json:
        print_json(msgspec.to_builtins(rebuilt))
        return
    print_result(
        f"rebuilt {rebuilt.projection}, version {rebuilt.version}, from {rebuilt.events:,} events "
        f"in {rebuilt.seconds:.1f} s; the swap held others up for {rebuilt.locked_ms:.0f} ms"
    )


def _show_estimate(expected: RebuildEstimate) -> None:
    print_fields(
        {
            "would build": f"{expected.projection}, version {expected.version}",
            "from": f"{expected.events:,} events",
            "already done": f"{expected.resumes_at:,} events, by a build that was interrupted",
            "into": f"{', '.join(expected.tables)}, of {expected.bytes:,} bytes now",
            "in about": f"{expected.seconds:.0f} s, by {expected.sample:,} events that were tried",
        }
    )
    print_result()
    print_result("nothing was changed")
