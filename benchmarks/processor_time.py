"""How much processor time processes have used."""

from collections.abc import Iterable

import psutil


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of these processes until now. One that has ended counts for nothing."""
    return sum(_own(psutil.Process(pid)) for pid in pids if psutil.pid_exists(pid))


def cpu_seconds_with_children(pid: int) -> float:
    """User and system time of a process, its children that run, and those that ended and that it has asked after.

    That is all of PostgreSQL, whose every process is a child of the first.
    """
    process = psutil.Process(pid)
    times = process.cpu_times()
    ended = times.children_user + times.children_system
    return _own(process) + float(ended) + sum(map(_own, process.children()))


def _own(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)
