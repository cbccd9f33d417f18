"""How far long work is, on a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text


class _Rate(ProgressColumn):
    """Events a second."""

    def __init__(self, passes: int) -> None:
        super().__init__()
        self._passes = passes

    def render(self, task: Task) -> Text:
        """The rate of the last half minute, of the whole once it is done."""
        steps = task.finished_speed or task.speed or 0.0
        return Text(f"{steps / self._passes:,.0f} events/s", style="progress.data.speed")


@contextmanager
def events_done(what: str, events: int, *, passes: int = 1, already: int = 0) -> Iterator[Callable[[int], None]]:
    """Gives what is to be told of every event done, `passes` times for each. Without a terminal nothing is shown.

    `already` were done by somebody before.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        _Rate(passes),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as shown:
        task = shown.add_task(what, total=events * passes, completed=already)
        yield lambda done: shown.advance(task, done)
