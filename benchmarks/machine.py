"""The machine, the time and the commit of a measurement."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import psutil

from benchmarks.report.results import Machine


def describe_machine() -> Machine:
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory_gib=round(psutil.virtual_memory().total / 2**30),
        system=f"{platform.system()} {platform.release().partition('-')[0]}, {platform.machine()}",
        load_average=round(os.getloadavg()[0], 2),
    )


def current_time() -> str:
    """Return date and time in UTC, to the minute."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def current_commit() -> str:
    """Return the commit, with `-dirty` when the source code has uncommitted changes."""
    folder = Path(__file__).parent
    name = _output("git", "-C", str(folder), "rev-parse", "--short=12", "HEAD") or "unknown"
    changed = _output(
        "git", "-C", str(folder), "status", "--porcelain", "--", ".", ":/ledger", ":/projections", ":/api"
    )
    return f"{name}-dirty" if changed else name


def tool_versions(postgres: str) -> dict[str, str]:
    wrk = _output("wrk", "-v").partition("wrk ")[2].partition(" ")[0]
    return {"PostgreSQL": postgres, "wrk": wrk or "unknown"}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        return ""
