"""Numbers over time in one line of a terminal."""

from collections.abc import Sequence
from itertools import pairwise

STEPS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[int]) -> str:
    """A character for each value: a blank for none at all, then from the least to the greatest in eight steps."""
    top = max(values, default=0)
    return "".join(STEPS[max(0, -(-value * len(STEPS) // top) - 1)] if value > 0 else " " for value in values)


def narrowed(values: Sequence[int], width: int, *, add: bool) -> list[int]:
    """At most so many values that stand for all: neighbours are added up, or the last of them is taken."""
    if len(values) <= width:
        return list(values)
    edges = [len(values) * step // width for step in range(width + 1)]
    groups = [values[start:end] for start, end in pairwise(edges)]
    return [sum(group) if add else group[-1] for group in groups]
