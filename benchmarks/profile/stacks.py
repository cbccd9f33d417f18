"""Sampled stacks: what a process was doing, and how often it was found at it."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

FRAME = re.compile(r"(?P<function>.+) \((?P<file>[^()]*?)(?::\d+)?\)")

POLLS = frozenset({"epoll_pwait", "epoll_wait", "poll", "select", "kevent"})
"""In which an event loop waits until there is something to do."""


class Frame(NamedTuple):
    """A function, and the file that it is in, of Python or of C; where nobody knows the file, it is empty."""

    function: str
    file: str

    def __str__(self) -> str:
        return f"{self.function} ({self.file})" if self.file else self.function


IDLE_WORKER = Frame("_worker", "concurrent/futures/thread.py")
"""A thread of a pool that has nothing to do; with something to do it calls other Python."""


@dataclass(frozen=True)
class Stack:
    """Frames, the outermost first, and in how many samples they were seen."""

    frames: tuple[Frame, ...]
    samples: int

    @property
    def waits(self) -> bool:
        """Whether it does nothing but wait. To look at a waiting thread wakes it, so that it seems to work."""
        python = next((frame for frame in reversed(self.frames) if frame.file.endswith(".py")), None)
        return self.frames[-1].function in POLLS or python == IDLE_WORKER


def read_stacks(lines: Iterable[str]) -> Iterator[Stack]:
    """The stacks that work, of collapsed ones: a line each, frames between semicolons, then the number of samples."""
    for line in lines:
        frames, _, samples = line.rstrip("\n").rpartition(" ")
        stack = Stack(tuple(map(_frame, frames.split(";"))), int(samples))
        if not stack.waits:
            yield stack


def _frame(text: str) -> Frame:
    found = FRAME.fullmatch(text)
    return Frame(found["function"], found["file"]) if found else Frame(text, "")
