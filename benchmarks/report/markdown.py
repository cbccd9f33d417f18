"""The report, from results alone: the same results give the same text."""

from collections.abc import Mapping

from benchmarks.contenders.catalogue import OURS
from benchmarks.report import sections
from benchmarks.report.peer_sections import peers as peer_sections
from benchmarks.report.plots import LATENCIES, RATES
from benchmarks.report.prose import prose
from benchmarks.report.results import Results
from benchmarks.report.targets import Evidence
from benchmarks.report.words import count, sentence


def render(found: Evidence, reasons: Mapping[str, str], beside: Mapping[str, str]) -> str:
    """Markdown. `reasons` say by target why it was missed; `beside` are other pages of the folder, by title."""
    ours = found.ours
    lines = [
        *_beginning(ours),
        *_others(beside),
        *sections.targets(found, reasons),
        *_picture(RATES, "Requests a second of each"),
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
    missing = [f"Not measured: {what}: {sentence(why)}" for what, why in ours.absent.items()]
    return [
        "# Benchmarks",
        "",
        "<!-- Written by python -m benchmarks.report from results/*.json and reasons.md. Do not edit. -->",
        "",
        prose(
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


def _others(beside: Mapping[str, str]) -> list[str]:
    if not beside:
        return []
    return ["Beside this: " + ", ".join(f"[{title}]({file})" for title, file in beside.items()) + ".", ""]


def _picture(file: str, title: str) -> list[str]:
    return [f"![{title}]({file})", ""]


def _method(ours: Results) -> list[str]:
    method = ours.method
    words = prose(
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
