"""Samples the Python and C stacks of a process with py-spy."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.errors import MeasurementError

RATE = 200
"""Samples per second. Each sample pauses the process, longer for deeper stacks."""

TIMEOUT_SECONDS = 60.0
"""How long py-spy may take to read symbols and to write the stacks."""

PERMISSION_ERRORS = ("permission denied", "operation not permitted")
PERMISSION_HELP = (
    "py-spy may not inspect the process on this machine: run it as root, or allow it to inspect processes of the same "
    "user with `sysctl kernel.yama.ptrace_scope=0`; a container needs the capability SYS_PTRACE"
)


def find_py_spy() -> str:
    """Return the path of py-spy, next to this Python or on the PATH. Raises MeasurementError."""
    installed = Path(sys.executable).with_name("py-spy")
    found = str(installed) if installed.exists() else shutil.which("py-spy")
    if found is None:
        msg = "py-spy is not installed: make profile installs it from requirements/bench.txt"
        raise MeasurementError(msg)
    return found


@contextmanager
def sample_stacks(pid: int, into: Path, *, seconds: int) -> Iterator[None]:
    """Sample a process for that long while the block keeps it busy, and write its collapsed stacks to a file.

    The end of the block waits for the sampling. Raises MeasurementError.
    """
    what = ["--pid", str(pid), "--duration", str(seconds), "--rate", str(RATE), "--native"]
    command = [find_py_spy(), "record", *what, "--format", "raw", "--output", str(into)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as sampler:
        try:
            yield
            output, _ = sampler.communicate(timeout=seconds + TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            msg = f"py-spy did not finish {TIMEOUT_SECONDS:.0f} s after the end of the sampling"
            raise MeasurementError(msg) from None
        finally:
            sampler.kill()
    if sampler.returncode:
        raise MeasurementError(explain_failure(output))


def explain_failure(output: str) -> str:
    """Explain a failure of py-spy from its output, with the remedy for missing permissions."""
    if any(text in output.lower() for text in PERMISSION_ERRORS):
        return PERMISSION_HELP
    return f"py-spy failed: {output.strip() or 'no output'}"
