"""All workloads on some contenders, first as fast as they go, then at half of that rate for the latencies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from benchmarks.cannot_measure import CannotMeasure
from benchmarks.load.kinds import WORKLOADS
from benchmarks.load.subject import Subject
from benchmarks.measuring import Measuring, say
from benchmarks.report.results import Latencies, Series

SHARE_OF_MOST = 0.5


@dataclass
class Findings:
    """What came of it so far, and what could not be measured."""

    series: list[Series] = field(default_factory=list)
    latencies: list[Latencies] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)

    def attempt(self, name: str, part: Callable[[], None]) -> None:
        """Do a part; when it cannot be measured, keep the reason and go on."""
        try:
            part()
        except CannotMeasure as reason:
            say(f"{name}: {reason}")
            self.absent[name] = str(reason)

    def rate(self, subject: Subject, workload: str) -> float | None:
        """The median rate of a workload, where it was measured."""
        wanted = (subject.name, subject.processes, workload)
        return next((s.rate for s in self.series if (s.contender, s.processes, s.workload) == wanted), None)

    def press(self, measuring: Measuring, subjects: Sequence[Subject], workloads: Sequence[str]) -> None:
        """Each of these workloads as fast as it goes."""
        for name in workloads:
            self.attempt(name, partial(self._press, measuring, subjects, name))

    def pace(self, measuring: Measuring, subjects: Sequence[Subject], workloads: Sequence[str]) -> None:
        """Each of these workloads at half of the rate that was found for each."""
        for name in workloads:
            self.attempt(f"latencies: {name}", partial(self._pace, measuring, subjects, name))

    def pace_alike(self, measuring: Measuring, subject: Subject, other: Subject, name: str) -> None:
        """A workload at half of the rate that was found for another."""
        self.attempt(
            f"latencies at the rate of {other.name}: {name}", partial(self._alike, measuring, subject, other, name)
        )

    def _alike(self, measuring: Measuring, subject: Subject, other: Subject, name: str) -> None:
        rate = self.rate(other, name)
        if rate is not None:
            self.latencies += measuring.paced([(subject, round(rate * SHARE_OF_MOST))], WORKLOADS[name])

    def _press(self, measuring: Measuring, subjects: Sequence[Subject], name: str) -> None:
        self.series += measuring.closed(subjects, WORKLOADS[name])

    def _pace(self, measuring: Measuring, subjects: Sequence[Subject], name: str) -> None:
        rates = [(subject, self.rate(subject, name)) for subject in subjects]
        paced = [(subject, max(1, round(rate * SHARE_OF_MOST))) for subject, rate in rates if rate is not None]
        self.latencies += measuring.paced(paced, WORKLOADS[name])
