"""py-spy: stacks of a process, of Python and of C, so many times a second, while it works."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.cannot_measure import CannotMeasure

RATE = 200
"""Samples a second. Each stops the process for a moment, the longer the deeper its stacks."""

PATIENCE_SECONDS = 60.0
"""For reading the symbols of what the process has loaded, and for writing the stacks."""

REFUSALS = ("permission denied", "operation not permitted")
HOW_TO_BE_ALLOWED = (
    "this machine does not let py-spy look into the process: run it as root, or allow it to look into processes of the "
    "same user with `sysctl kernel.yama.ptrace_scope=0`; a container needs the capability SYS_PTRACE"
)


def program() -> str:
    """Where py-spy is: beside this Python, or on the PATH. Raises CannotMeasure."""
    beside = Path(sys.executable).with_name("py-spy")
    found = str(beside) if beside.exists() else shutil.which("py-spy")
    if found is None:
        msg = "py-spy is not installed: make profile installs it, from requirements/bench.txt"
        raise CannotMeasure(msg)
    return found


@contextmanager
def sampled(pid: int, into: Path, *, seconds: int) -> Iterator[None]:
    """Sample a process for that long from about now on, and leave its collapsed stacks in a file.

    What is within is to keep the process busy; the end waits for the sampling. Raises CannotMeasure.
    """
    what = ["--pid", str(pid), "--duration", str(seconds), "--rate", str(RATE), "--native"]
    command = [program(), "record", *what, "--format", "raw", "--output", str(into)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as sampler:
        try:
            yield
            said, _ = sampler.communicate(timeout=seconds + PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            msg = f"py-spy was not done {PATIENCE_SECONDS:.0f} s after it should have been"
            raise CannotMeasure(msg) from None
        finally:
            sampler.kill()
    if sampler.returncode:
        raise CannotMeasure(why_not(said))


def why_not(said: str) -> str:
    """What to do about a py-spy that failed, by what it said."""
    if any(refusal in said.lower() for refusal in REFUSALS):
        return HOW_TO_BE_ALLOWED
    return f"py-spy failed: {said.strip() or 'it said nothing'}"
