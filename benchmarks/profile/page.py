"""The page of the profiles and its flame graphs, from what was sampled: the same samples give the same text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

from benchmarks.profile.flame import LEAST_SHARE, flame_graph
from benchmarks.profile.parts import PARTS, shares
from benchmarks.profile.sampling import RATE
from benchmarks.profile.stacks import Stack
from benchmarks.report.prose import by_heading, prose
from benchmarks.report.results import Machine
from benchmarks.report.words import count, table

_PROSE: Mapping[str, str] = by_heading(Path(__file__).with_suffix(".txt").read_text(encoding="utf-8"))

TENTH = 0.1
"""The share whose error is told."""


@dataclass(frozen=True)
class Profile:
    """One workload: the processor time of the process for a request, in µs, and the stacks of its work.

    `name` is what the flame graph's file is called by.
    """

    name: str
    workload: str
    cpu_us: float
    stacks: Sequence[Stack]

    @property
    def samples(self) -> int:
        """Of the process at work."""
        return sum(stack.samples for stack in self.stacks)

    @property
    def picture(self) -> str:
        """The file of the flame graph."""
        return f"flame-{self.name}.svg"


@dataclass(frozen=True)
class Profiled:
    """Where, of what and how it was sampled, and what was found."""

    taken_at: str
    commit: str
    machine: Machine
    connections: int
    tokens: int
    seconds: int
    profiles: Sequence[Profile]


def write_page(found: Profiled, folder: Path) -> Path:
    """profiles.md and a flame graph for each workload; returns where the page is."""
    folder.mkdir(parents=True, exist_ok=True)
    for profile in found.profiles:
        title = f"{profile.workload}: {profile.cpu_us:.0f} µs of processor time a request"
        (folder / profile.picture).write_text(flame_graph(profile.stacks, title), encoding="utf-8")
    page = folder / "profiles.md"
    page.write_text(render(found), encoding="utf-8")
    return page


def render(found: Profiled) -> str:
    """Markdown."""
    least = min(profile.samples for profile in found.profiles)
    method = _PROSE["method"].format(
        connections=found.connections,
        tokens=count(found.tokens),
        rate=RATE,
        seconds=found.seconds,
        stacks=count(least),
        error=100 * sqrt(TENTH * (1 - TENTH) / least),
    )
    lines = [
        "# Profiles",
        "",
        "<!-- Written by python -m benchmarks.profile. Do not edit; what people found is in profiles-findings.md. -->",
        "",
        _measured(found),
        "",
        method,
        "",
        *_parts(found.profiles),
        "",
        _PROSE["findings"],
        "",
        _PROSE["flames"].format(least=100 * LEAST_SHARE),
        "",
        *(f"![Flame graph: {profile.workload}]({profile.picture})\n" for profile in found.profiles),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _measured(found: Profiled) -> str:
    where = found.machine
    return prose(
        "machine",
        taken_at=found.taken_at,
        commit=found.commit,
        processor=where.processor,
        cores=where.cores,
        memory=where.memory_gib,
        system=where.system,
        load=where.load_average,
    )


def _parts(profiles: Sequence[Profile]) -> list[str]:
    """A row for each part that some request has, and one for all of them."""
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
