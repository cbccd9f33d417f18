"""The sections of the report on the service. Each function returns the lines of a section, or none without results."""

from collections.abc import Mapping, Sequence
from statistics import median

from benchmarks.contenders.catalogue import OURS
from benchmarks.report.results import (
    AUDIT_HISTORY,
    AUDIT_PAGE,
    EMPTY_HANDLER,
    ISSUE,
    LIVE,
    MIX,
    Latencies,
    Results,
    Series,
)
from benchmarks.report.targets import CORES_FOR_ALL, RESTARTED, TARGETS, Evidence, two_workers
from benchmarks.report.text import count, milliseconds, paragraph, spread, table

SHARES = ("50", "90", "99", "99.9")
CEILING_OF = {LIVE: LIVE, "introspect a revoked token": LIVE, "introspect unknown ones": LIVE}
"""Workloads that are the same for the empty handler, so they are compared with another one's run."""


def targets(found: Evidence, reasons: Mapping[str, str]) -> list[str]:
    """Return the targets, then the reasons for missed targets."""
    rows, missed = [], []
    for target in TARGETS:
        ratio = target.ratio(found)
        bound = f"below {target.bound:g}" if target.below else f"{target.bound:g}"
        if ratio is None:
            rows.append([target.what, bound, "", "not measured"])
            continue
        reached = target.reached(ratio)
        rows.append([target.what, bound, f"{ratio:.2f}", "reached" if reached else "**missed**"])
        if not reached:
            why = reasons.get(target.name, "The reason is not documented yet.")
            missed += [f"**Missed: {target.what}** ({ratio:.2f}, not {bound}). {why}", ""]
    return ["## Targets", "", *table(["ratio", "target", "measured", ""], rows), "", *missed]


def closed_loop(results: Results) -> list[str]:
    rows = []
    for series in results.series:
        if series.contender != OURS or series.workload in (AUDIT_HISTORY, AUDIT_PAGE):
            continue
        empty = results.find(EMPTY_HANDLER, CEILING_OF.get(series.workload, series.workload))
        rows.append(
            [
                series.workload,
                spread([run.rate for run in empty.runs]) if empty else "",
                spread([run.rate for run in series.runs]),
                f"{series.rate / empty.rate:.2f}" if empty else "",
                milliseconds(median(run.p50_ms for run in series.runs)),
                milliseconds(median(run.p99_ms for run in series.runs)),
                f"{empty.server_us if empty else 0:.0f} / {series.server_us:.0f}",
                f"{median(run.database_us for run in series.runs):.0f}",
                f"{median(run.load_us for run in series.runs):.0f}",
            ]
        )
    header = ["workload", "empty handler /s", "service /s", "ratio", "p50 ms", "p99 ms"]
    cpu = ["µs of CPU, handler / service", "PostgreSQL", "wrk"]
    return [
        "## Maximum rates",
        "",
        paragraph("closed loop", connections=results.method.connections),
        "",
        *table([*header, *cpu], rows),
        "",
    ]


def latencies(found: Sequence[Latencies]) -> list[str]:
    rows = [
        [
            x.workload,
            x.contender,
            count(x.rate),
            *(milliseconds(x.percentile(share)) for share in SHARES),
            milliseconds(max(run.worst_ms for run in x.runs)),
            "" if x.late_p99_ms is None else milliseconds(x.late_p99_ms),
            "" if x.load_us is None else f"{x.load_us:.0f}",
        ]
        for x in sorted(found, key=lambda x: x.workload)
    ]
    header = ["workload", "", "requests/s", *(f"p{share} ms" for share in SHARES), "worst", "late p99 ms", "wrk µs"]
    return table(header, rows, words=2)


def constant_rate(results: Results) -> list[str]:
    if not results.latencies:
        return []
    return [
        "## Latency at a constant rate",
        "",
        paragraph("constant rate"),
        "",
        *latencies(results.latencies),
        "",
    ]


def database_alone(results: Results) -> list[str]:
    if not results.statements:
        return []
    ours = {"look-up": results.find(OURS, MIX), "issuance": results.find(OURS, ISSUE)}
    rows = []
    for found in results.statements:
        kind = ours.get(found.name.partition(",")[0])
        rates = [rate * found.operations for rate in found.transactions]
        share = f"{kind.rate / found.rate:.2f}" if kind else ""
        rows.append([found.name, found.what, spread(rates), share])
    return [
        "## The database alone",
        "",
        paragraph("database alone"),
        "",
        *table(["", "statements", "/s", "service / this"], rows, words=2),
        "",
    ]


def workers(results: Results) -> list[str]:
    rows = []
    for workload in (MIX, ISSUE):
        one, two = (results.find(RESTARTED, workload, processes=processes) for processes in (1, 2))
        if one and two:
            ratio = two_workers(results, workload)
            rows.append([workload, "1", *_work(one), "", ""])
            rows.append([workload, "2", *_work(two), f"{two.rate / one.rate:.2f}", f"{ratio:.2f}"])
    if not rows:
        return []
    header = ["workload", "workers", "/s", "busy cores", "µs of CPU: service", "PostgreSQL", "wrk"]
    return [
        "## Two workers",
        "",
        paragraph("workers", cores=results.machine.cores, enough=CORES_FOR_ALL),
        "",
        *table([*header, "two / one, rates", "accounted"], rows, words=2),
        "",
    ]


def rebuilding(results: Results) -> list[str]:
    if not results.rebuilds:
        return []
    rows = [
        [
            rebuild.projection,
            count(rebuild.events),
            spread([rebuild.events / seconds for seconds in rebuild.rebuilt]),
            spread([rebuild.events / seconds for seconds in rebuild.verified]),
        ]
        for rebuild in results.rebuilds
    ]
    header = ["projection", "events", "rebuilt, events/s", "verified, events/s"]
    return ["## Rebuilding projections", "", *table(header, rows), ""]


def audit(results: Results) -> list[str]:
    rows = [
        [name, spread([run.rate for run in found.runs]), f"{found.server_us:,.0f}"]
        for name in (AUDIT_HISTORY, AUDIT_PAGE)
        if (found := results.find(OURS, name))
    ]
    if not rows:
        return []
    return ["## Audit reads", "", *table(["", "/s", "µs of CPU each"], rows), ""]


def _work(series: Series) -> list[str]:
    busy = median((run.server_cpu + run.database_cpu + run.load_cpu) / run.seconds for run in series.runs)
    return [
        spread([run.rate for run in series.runs]),
        f"{busy:.1f}",
        f"{series.server_us:.0f}",
        f"{median(run.database_us for run in series.runs):.0f}",
        f"{median(run.load_us for run in series.runs):.0f}",
    ]
