"""Tokens that are issued, and commands that work on the same embedded database meanwhile."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.forms import issuance
from benchmarks.load.wrk import Load
from benchmarks.processes import CannotMeasure, Server
from benchmarks.server_under_load import Measurement, measure


def issue(served: Server, folder: Path, seconds: int) -> Measurement:
    """Issue tokens for that long. Raises CannotMeasure when a request fails."""
    return measure(served, [issuance(served)], folder, load=Load(), seconds=seconds)


def command(directory: Path, *words: str) -> dict[str, Any]:
    """What a command says of itself as JSON, run over the embedded database. Raises CannotMeasure when it fails."""
    line = [sys.executable, "-m", "api.cli.main", *words, "--embedded", str(directory), "--json"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        msg = f"{' '.join(words)} ended with {done.returncode}: {done.stderr or done.stdout}"
        raise CannotMeasure(msg)
    return json.loads(done.stdout)
