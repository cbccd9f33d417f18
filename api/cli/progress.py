"""A progress bar for long work, shown if standard error is a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text


class _EventRate(ProgressColumn):
    """Events per second."""

    def __init__(self, passes: int) -> None:
        super().__init__()
        self._passes = passes

    def render(self, task: Task) -> Text:
        """Render the recent rate, or the average of a finished task."""
        steps = task.finished_speed or task.speed or 0.0
        return Text(f"{steps / self._passes:,.0f} events/s", style="progress.data.speed")


@contextmanager
def show_progress(what: str, events: int, *, passes: int = 1, already: int = 0) -> Iterator[Callable[[int], None]]:
    """Yield a function to call with the number of events done; each event counts once per pass.

    `already` steps were done by an earlier process.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        _EventRate(passes),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(what, total=events * passes, completed=already)
        yield lambda done: progress.advance(task, done)
