"""The profile page and its flame graphs. They depend only on the samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

from benchmarks.profile.flame import LEAST_SHARE, flame_graph
from benchmarks.profile.parts import PARTS, shares
from benchmarks.profile.sampling import RATE
from benchmarks.profile.stacks import Stack
from benchmarks.report.results import Machine
from benchmarks.report.text import count, paragraph, parse_sections, table

_PARAGRAPHS: Mapping[str, str] = parse_sections(Path(__file__).with_name("paragraphs.txt").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Profile:
    """One workload: the CPU time per request in µs, and the active stacks. `name` is part of the file name."""

    name: str
    workload: str
    cpu_us: float
    stacks: Sequence[Stack]

    @property
    def samples(self) -> int:
        return sum(stack.samples for stack in self.stacks)

    @property
    def picture(self) -> str:
        return f"flame-{self.name}.svg"


@dataclass(frozen=True)
class ProfileReport:
    taken_at: str
    commit: str
    machine: Machine
    connections: int
    tokens: int
    seconds: int
    profiles: Sequence[Profile]


def write_page(found: ProfileReport, folder: Path) -> Path:
    """Write profiles.md and a flame graph per workload; return the path of the page."""
    folder.mkdir(parents=True, exist_ok=True)
    for profile in found.profiles:
        title = f"{profile.workload}: {profile.cpu_us:.0f} µs of CPU time per request"
        (folder / profile.picture).write_text(flame_graph(profile.stacks, title), encoding="utf-8")
    page = folder / "profiles.md"
    page.write_text(render(found), encoding="utf-8")
    return page


def render(found: ProfileReport) -> str:
    least = min(profile.samples for profile in found.profiles)
    method = _PARAGRAPHS["method"].format(
        connections=found.connections,
        tokens=count(found.tokens),
        rate=RATE,
        seconds=found.seconds,
        stacks=count(least),
        error=100 * sqrt(0.1 * 0.9 / least),
    )
    lines = [
        "# Profiles",
        "",
        "<!-- Written by python -m benchmarks.profile. Do not edit. Findings are in profiles-findings.md. -->",
        "",
        _measured(found),
        "",
        method,
        "",
        *_parts(found.profiles),
        "",
        _PARAGRAPHS["findings"],
        "",
        _PARAGRAPHS["flames"].format(least=100 * LEAST_SHARE),
        "",
        *(f"![Flame graph: {profile.workload}]({profile.picture})\n" for profile in found.profiles),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _measured(found: ProfileReport) -> str:
    machine = found.machine
    return paragraph(
        "machine",
        taken_at=found.taken_at,
        commit=found.commit,
        processor=machine.processor,
        cores=machine.cores,
        memory=machine.memory_gib,
        system=machine.system,
        load=machine.load_average,
    )


def _parts(profiles: Sequence[Profile]) -> list[str]:
    """Return a table with a row per part that has samples, and a total."""
    found = [(profile, shares(profile.stacks)) for profile in profiles]
    header = ["", *(cell for profile in profiles for cell in (f"{profile.workload}, µs", "share"))]
    rows = [
        [part, *(cell for profile, by_part in found for cell in _cells(by_part[part], profile.cpu_us))]
        for part in PARTS
        if any(by_part[part] for _, by_part in found)
    ]
    total = ["all", *(cell for profile in profiles for cell in _cells(1, profile.cpu_us))]
    return table(header, [*rows, total])


def _cells(share: float, cpu_us: float) -> tuple[str, str]:
    return (f"{share * cpu_us:.1f}", f"{100 * share:.1f} %") if share else ("", "")
