"""Write the report and its plots from the last results.

python -m benchmarks.report [--folder docs/benchmarks]
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report.markdown import render
from benchmarks.report.paths import FOLDER, growth_file, peer_files, reasons_file, report_file, service_file
from benchmarks.report.plots import draw
from benchmarks.report.results import read_results
from benchmarks.report.targets import Evidence, read_growth_ratio
from benchmarks.report.text import parse_sections


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0, or 1 when there are no results of the service."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=FOLDER, help="folder of the results and the report")
    folder: Path = parser.parse_args(arguments).folder
    if not service_file(folder).exists():
        print(f"{service_file(folder)} does not exist: run make bench first.", file=sys.stderr)
        return 1
    ours = read_results(service_file(folder))
    peers = {name: read_results(file) for name, file in peer_files(folder).items()}
    # The folder of a short run has no reasons.
    reasons = next((file for file in map(reasons_file, (folder, FOLDER)) if file.exists()), None)
    written = parse_sections(reasons.read_text(encoding="utf-8")) if reasons else {}
    draw(ours, {name: found for name, found in peers.items() if found.series}, folder)
    report_file(folder).write_text(
        render(Evidence(ours, peers, read_growth_ratio(growth_file(folder))), written, _other_pages(folder)),
        encoding="utf-8",
    )
    print(report_file(folder))
    return 0


def _other_pages(folder: Path) -> dict[str, str]:
    """Return the other pages in the folder by their titles."""
    pages = sorted(page for page in folder.glob("*.md") if page != report_file(folder))
    return {page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# "): page.name for page in pages}


if __name__ == "__main__":
    sys.exit(main())
