"""The plots of the report as SVG files. The same results give the same bytes."""

from pathlib import Path

from benchmarks.contenders.catalogue import OURS
from benchmarks.report.results import EMPTY_HANDLER, ISSUE, MIX, MIXED, REVOKE, Results
from benchmarks.report.targets import Peers

RATES, LATENCIES = "rates.svg", "latencies.svg"
BARS = (ISSUE, MIX, REVOKE, MIXED)
HASH_SALT = "token-ledger"
"""Makes the ids in the SVG files constant; by default matplotlib chooses random ids."""

Bars = dict[str, dict[str, float]]


def rates(ours: Results, peers: Peers) -> Bars:
    """Return rates by contender and workload. Rates of a peer are scaled by the service's rates in both runs."""
    bars: Bars = {name: {} for name in (EMPTY_HANDLER, OURS, *peers)}
    for workload in BARS:
        own = ours.find(OURS, workload)
        for name in (EMPTY_HANDLER, OURS):
            if series := ours.find(name, workload):
                bars[name][workload] = series.rate
        for name, results in peers.items():
            theirs, reference = results.find(name, workload), results.find(OURS, workload)
            if own and theirs and reference:
                bars[name][workload] = theirs.rate * own.rate / reference.rate
    return {name: found for name, found in bars.items() if found}


def curves(ours: Results, peers: Peers) -> dict[str, dict[str, float]]:
    """Return the latency of the mix in ms by contender and percentile."""
    found = {name: ours.latency(name, MIX) for name in (EMPTY_HANDLER, OURS)}
    found |= {name: results.latency(name, MIX) for name, results in peers.items()}
    return {
        f"{name}, {x.rate:,}/s": {share: x.percentile(share) for share in x.runs[0].percentiles}
        for name, x in found.items()
        if x is not None
    }


def draw(ours: Results, peers: Peers, folder: Path) -> None:
    import matplotlib as mpl  # noqa: PLC0415 (only the dependency group `bench` has it)

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = HASH_SALT
    mpl.rcParams["svg.fonttype"] = "none"
    folder.mkdir(parents=True, exist_ok=True)
    _bars(rates(ours, peers), folder / RATES)
    if found := curves(ours, peers):
        _curves(found, folder / LATENCIES)


def _bars(bars: Bars, file: Path) -> None:
    from matplotlib import pyplot as plt  # noqa: PLC0415 (as above)

    figure, axes = plt.subplots(figsize=(9, 4.5), layout="constrained")
    width = 0.8 / max(len(bars), 1)
    for index, (name, found) in enumerate(bars.items()):
        places = [BARS.index(workload) + (index - (len(bars) - 1) / 2) * width for workload in found]
        axes.bar(places, list(found.values()), width, label=name)
    axes.set_xticks(range(len(BARS)), BARS)
    axes.set_ylabel("requests per second")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    axes.legend()
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


def _curves(found: dict[str, dict[str, float]], file: Path) -> None:
    from matplotlib import pyplot as plt  # noqa: PLC0415 (as above)

    figure, axes = plt.subplots(figsize=(9, 4.5), layout="constrained")
    for name, values in found.items():
        axes.plot(range(len(values)), list(values.values()), marker="o", label=name)
    shares = list(next(iter(found.values())))
    axes.set_xticks(range(len(shares)), [f"p{share}" for share in shares])
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_ylabel("ms after the due time")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)
