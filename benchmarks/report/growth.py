"""What the benchmark of growth found, as far as a target is about it."""

import json
from pathlib import Path
from statistics import median

FEW, MANY = 10_000, 10_000_000
WORKLOAD = "introspect any"


def growth_ratio(file: Path) -> float | None:
    """The rate of introspection with 10 million tokens over that with 10 thousand; None when it was not measured."""
    if not file.exists():
        return None
    sizes = {size["tokens"]: size for size in json.loads(file.read_bytes())["sizes"]}
    if not {FEW, MANY} <= sizes.keys():
        return None
    many, few = (
        median(run["requests"] / run["seconds"] for run in sizes[tokens]["workloads"][WORKLOAD])
        for tokens in (MANY, FEW)
    )
    return float(many / few)
