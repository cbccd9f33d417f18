"""A server under the closed loop, and what a request costs it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.load.request import Request
from benchmarks.load.wrk import Load, Pressed, press
from benchmarks.processes import Server


@dataclass(frozen=True)
class Measurement(Pressed):
    """`cpu_us` is what a request cost the server's process in processor time.

    It hardly changes with what else the machine does, unlike rates.
    """

    cpu_us: float


def measure(server: Server, requests: Sequence[Request], folder: Path, *, load: Load, seconds: int) -> Measurement:
    """Press it for that long. Raises CannotMeasure when an answer was not a success."""
    before = server.cpu_seconds()
    pressed = press(requests, folder, load=load, seconds=seconds)
    used = server.cpu_seconds() - before
    return Measurement(**asdict(pressed), cpu_us=used / pressed.requests * 1e6)
