"""The CPU time that processes have used."""

from collections.abc import Iterable

import psutil


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return user and system time of these processes. An ended process counts as 0."""
    return sum(_own_seconds(psutil.Process(pid)) for pid in pids if psutil.pid_exists(pid))


def tree_cpu_seconds(pid: int) -> float:
    """Return user and system time of a process and its children, including ended children that it has waited for.

    For the first process of PostgreSQL, that is the time of the whole server.
    """
    process = psutil.Process(pid)
    times = process.cpu_times()
    ended = times.children_user + times.children_system
    return _own_seconds(process) + float(ended) + sum(map(_own_seconds, process.children()))


def _own_seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)
