"""The files of results and report below the folder of the documentation, or another folder."""

from pathlib import Path

from benchmarks.contenders.catalogue import PEERS

FOLDER = Path(__file__).parents[2] / "docs" / "benchmarks"


def service_file(folder: Path) -> Path:
    """The results of the service and the ceilings."""
    return folder / "results" / "service.json"


def peer_file(folder: Path, name: str) -> Path:
    """The results of a peer, and of the service in the same run."""
    return folder / "results" / f"{name}.json"


def peer_files(folder: Path) -> dict[str, Path]:
    """The existing results of peers, by name."""
    files = {name: peer_file(folder, name) for name in PEERS}
    return {name: file for name, file in files.items() if file.exists()}


def growth_file(folder: Path) -> Path:
    """The results of the growth benchmark, written with `--output`."""
    return folder / "growth.json"


def report_file(folder: Path) -> Path:
    return folder / "README.md"


def reasons_file(folder: Path) -> Path:
    """Why targets were missed, written by people: a section per target, with the target's name as heading."""
    return folder / "reasons.md"
