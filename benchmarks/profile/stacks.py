"""Sampled stacks, and how many samples each has."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

FRAME = re.compile(r"(?P<function>.+) \((?P<file>[^()]*?)(?::\d+)?\)")

POLLS = frozenset({"epoll_pwait", "epoll_wait", "poll", "select", "kevent"})
"""Functions in which an idle event loop waits."""


class Frame(NamedTuple):
    """A Python or C function and its file; the file is empty when it is unknown."""

    function: str
    file: str

    def __str__(self) -> str:
        return f"{self.function} ({self.file})" if self.file else self.function


IDLE_WORKER = Frame("_worker", "concurrent/futures/thread.py")
"""The innermost Python frame of an idle pool thread."""


@dataclass(frozen=True)
class Stack:
    """Frames, the outermost first, and the number of samples."""

    frames: tuple[Frame, ...]
    samples: int

    @property
    def is_idle(self) -> bool:
        """Whether the thread is idle. Sampling wakes a waiting thread, so that it seems active."""
        python = next((frame for frame in reversed(self.frames) if frame.file.endswith(".py")), None)
        return self.frames[-1].function in POLLS or python == IDLE_WORKER


def read_stacks(lines: Iterable[str]) -> Iterator[Stack]:
    """Parse collapsed stacks, one per line: frames separated by semicolons, then the samples. Skips idle stacks."""
    for line in lines:
        frames, _, samples = line.rstrip("\n").rpartition(" ")
        stack = Stack(tuple(map(_frame, frames.split(";"))), int(samples))
        if not stack.is_idle:
            yield stack


def _frame(text: str) -> Frame:
    found = FRAME.fullmatch(text)
    return Frame(found["function"], found["file"]) if found else Frame(text, "")
