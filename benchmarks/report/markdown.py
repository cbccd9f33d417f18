"""The report as Markdown. It depends only on the results."""

from collections.abc import Mapping

from benchmarks.contenders.catalogue import OURS
from benchmarks.report import sections
from benchmarks.report.peer_sections import peers as peer_sections
from benchmarks.report.plots import LATENCIES, RATES
from benchmarks.report.results import Results
from benchmarks.report.targets import Evidence
from benchmarks.report.text import count, one_line, paragraph


def render(found: Evidence, reasons: Mapping[str, str], other_pages: Mapping[str, str]) -> str:
    """Render the report. `reasons`: why a target was missed. `other_pages`: file names by title."""
    ours = found.ours
    lines = [
        *_beginning(ours),
        *_other_pages(other_pages),
        *sections.targets(found, reasons),
        *_picture(RATES, "Requests per second"),
        *sections.closed_loop(ours),
        *sections.constant_rate(ours),
        *(_picture(LATENCIES, "Latency by percentile at half of the maximum rate") if ours.latencies else []),
        *sections.database_alone(ours),
        *sections.workers(ours),
        *sections.rebuilding(ours),
        *sections.audit(ours),
        *peer_sections(found.peers),
        *_method(ours),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _beginning(ours: Results) -> list[str]:
    where = ours.machine
    missing = [f"Not measured: {what}: {one_line(why)}" for what, why in ours.absent.items()]
    return [
        "# Benchmarks",
        "",
        "<!-- Written by python -m benchmarks.report from results/*.json and reasons.md. Do not edit. -->",
        "",
        paragraph(
            "machine",
            taken_at=ours.taken_at,
            commit=ours.commit,
            processor=where.processor,
            cores=where.cores,
            memory=where.memory_gib,
            system=where.system,
            load=where.load_average,
        ),
        "",
        *(line for reason in missing for line in (reason, "")),
    ]


def _other_pages(other_pages: Mapping[str, str]) -> list[str]:
    if not other_pages:
        return []
    return ["Other pages: " + ", ".join(f"[{title}]({file})" for title, file in other_pages.items()) + ".", ""]


def _picture(file: str, title: str) -> list[str]:
    return [f"![{title}]({file})", ""]


def _method(ours: Results) -> list[str]:
    method = ours.method
    words = paragraph(
        "method",
        service=ours.notes.get(OURS, ""),
        tokens=count(method.tokens),
        repetitions=method.repetitions,
        seconds=method.seconds,
        paced_repetitions=method.paced_repetitions,
        paced_seconds=method.paced_seconds,
    )
    versions = [
        f"- {name}: " + ", ".join(f"{component} {version}" for component, version in components.items())
        for name, components in ours.versions.items()
    ]
    return ["## Method", "", words, "", "Versions:", "", *versions]
