"""`token-ledger projections rebuild`."""

from typing import Annotated

import msgspec
import typer

from api.cli.flags import option
from api.cli.output import print_fields, print_json, print_note, print_result
from api.cli.projections.context import Name, run_on_projection
from api.service.composition import get_process_name
from projections.rebuilding.estimate import RebuildEstimate, estimate_rebuild
from projections.rebuilding.rebuild import rebuild_projection

DryRun = Annotated[bool, option("--dry-run", "Estimate the work and its duration, and change nothing.")]
Restart = Annotated[bool, option("--restart", "Start over instead of resuming an interrupted rebuild.")]


def rebuild(ctx: typer.Context, name: Name, *, dry_run: DryRun = False, restart: Restart = False) -> None:
    """Rebuild a projection from the logs of all issuers while the service runs, then swap it in.

    It needs the role that owns the tables. If it is interrupted or killed, the next run resumes it.
    """
    if dry_run:
        expected = run_on_projection(
            ctx.obj, name, lambda context: estimate_rebuild(context.dsn, context.projection, ctx.obj.archives)
        )
        if ctx.obj.json:
            print_json(msgspec.to_builtins(expected))
        else:
            _print_estimate(expected)
        return
    rebuilt = run_on_projection(
        ctx.obj,
        name,
        lambda context: rebuild_projection(
            context.dsn,
            context.projection,
            holder=get_process_name(),
            progress=context.show_progress("building"),
            report=print_note,
            restart=restart,
            archives=ctx.obj.archives,
        ),
    )
    if ctx.obj.json:
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
