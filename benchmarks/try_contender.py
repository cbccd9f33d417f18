"""Whether a contender can be had here, and does what the benchmarks ask of it.

python -m benchmarks.try_contender NAME --folder FOLDER         install it into the folder and print its versions
python -m benchmarks.try_contender NAME --folder FOLDER --try   and start it, issue a token, introspect and revoke it
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contenders.catalogue import NAMES, contender
from benchmarks.contenders.contender import CannotHave, Contender
from benchmarks.contenders.exchange import exchange
from benchmarks.database_server import database_server
from benchmarks.ports import free_ports
from benchmarks.processor_time import cpu_seconds

PORTS = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 1 when it cannot be had or did not do what it should."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.try_contender", description=__doc__.partition("\n")[0])
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--folder", type=Path, required=True, help="where it is installed, and left")
    parser.add_argument("--try", dest="tried", action="store_true", help="run it too")
    parser.add_argument("--processes", type=int, default=1, help="worker processes, where it has such a thing")
    options = parser.parse_args(arguments)
    try:
        found = contender(options.name)
        for component, version in found.set_up(options.folder.resolve()).items():
            print(f"{component} {version}")
        if options.tried:
            _try(found, options.folder.resolve(), options.processes)
    except CannotHave as reason:
        print(f"{options.name}: {reason}", file=sys.stderr)
        return 1
    return 0


def _try(found: Contender, folder: Path, processes: int) -> None:
    with database_server(folder / "postgres") as server:
        database = server.database(found.name.replace("-", "_"))
        with found.running(folder, database, port=free_ports(PORTS), processes=processes) as running:
            print(f"processes {running.pids}, {cpu_seconds(running.pids):.1f} s of processor time to start")
            exchange(running, print)
            print("as it should be")


if __name__ == "__main__":
    sys.exit(main())
