"""Where results and report are, in the folder of the documentation or in another like it."""

from pathlib import Path

from benchmarks.contenders.catalogue import PEERS

FOLDER = Path(__file__).parents[2] / "docs" / "benchmarks"


def service_file(folder: Path) -> Path:
    """The results of the service and the ceilings."""
    return folder / "results" / "service.json"


def peer_file(folder: Path, name: str) -> Path:
    """The results of a peer, and of the service beside it."""
    return folder / "results" / f"{name}.json"


def peer_files(folder: Path) -> dict[str, Path]:
    """Of the peers that have been measured, or tried."""
    files = {name: peer_file(folder, name) for name in PEERS}
    return {name: file for name, file in files.items() if file.exists()}


def growth_file(folder: Path) -> Path:
    """What the benchmark of growth writes, with this folder for its `--output`."""
    return folder / "growth.json"


def report_file(folder: Path) -> Path:
    """The report."""
    return folder / "README.md"


def reasons_file(folder: Path) -> Path:
    """What people found out about targets that were missed: a section for each, headed by the target's name."""
    return folder / "reasons.md"
