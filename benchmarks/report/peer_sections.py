"""The report on peers. Each peer has its own run, in which the service was measured too."""

from benchmarks.contenders.catalogue import OURS, PEERS
from benchmarks.report.results import ISSUE, LIVE, MIX, MIXED, REVOKE, Results, Series
from benchmarks.report.sections import latencies
from benchmarks.report.targets import Peers
from benchmarks.report.text import count, one_line, paragraph, spread, table

WORKLOADS = (ISSUE, LIVE, MIX, REVOKE, MIXED)


def peers(found: Peers) -> list[str]:
    """Return the comparison of all peers, then a section for each."""
    lines = [
        "## Peers",
        "",
        paragraph("peers"),
        "",
    ]
    missing = [name for name in PEERS if name not in found]
    if missing:
        lines += [f"Not measured yet: {', '.join(missing)}.", ""]
    measured = {name: results for name, results in found.items() if results.series}
    if measured:
        header = ["service / peer", *WORKLOADS]
        rows = [
            [name, *(_ratio(name, results, workload) for workload in WORKLOADS)] for name, results in measured.items()
        ]
        lines += [*table(header, rows), ""]
    for name, results in found.items():
        lines += _peer(name, results)
    return lines


def _ratio(name: str, results: Results, workload: str) -> str:
    ours, theirs = _pair(name, results, workload)
    return f"{ours.rate / theirs.rate:.1f}" if ours and theirs else ""


def _pair(name: str, results: Results, workload: str) -> tuple[Series | None, Series | None]:
    processes = results.series[0].processes
    return results.find(OURS, workload, processes=processes), results.find(name, workload, processes=processes)


def _peer(name: str, results: Results) -> list[str]:
    where = results.machine
    heading = [f"### {name}", ""]
    if not results.series:
        why = next(iter(results.absent.values()), "nothing was measured")
        return [
            *heading,
            f"Not measured on {results.taken_at} on {where.processor}, {where.cores} cores: {one_line(why)}",
            "",
        ]
    parts = ", ".join(f"{component} {version}" for component, version in results.versions.get(name, {}).items())
    rows = []
    for workload in WORKLOADS:
        ours, theirs = _pair(name, results, workload)
        if ours and theirs:
            rows.append(
                [
                    workload,
                    *(spread([run.rate for run in series.runs]) for series in (theirs, ours)),
                    f"{ours.rate / theirs.rate:.1f}",
                    f"{theirs.server_us:,.0f} / {ours.server_us:,.0f}",
                ]
            )
    lines = [
        *heading,
        results.notes.get(name, ""),
        "",
        paragraph(
            "peer",
            versions=parts,
            taken_at=results.taken_at,
            commit=results.commit,
            processor=where.processor,
            cores=where.cores,
            load=where.load_average,
            processes=results.series[0].processes,
            connections=results.method.connections,
            repetitions=results.method.repetitions,
            seconds=results.method.seconds,
            tokens=count(results.method.tokens),
        ),
        "",
        *table(["workload", f"{name} /s", "service /s", "ratio", "µs of CPU, peer / service"], rows),
        "",
    ]
    if results.latencies:
        lines += [
            "Each at half of its own maximum rate, and the service also at half of the peer's:",
            "",
            *latencies(results.latencies),
            "",
        ]
    for what, why in results.absent.items():
        lines += [f"Not measured: {what}: {one_line(why)}", ""]
    return lines
