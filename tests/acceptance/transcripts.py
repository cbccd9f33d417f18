"""Documents whose examples are run: each command with the answer that is printed after it."""

import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from service_process import clean_environment

BLOCK = re.compile(r"^```(?P<language>sh|json|text)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = "the next command"

MASKS = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| UTC)"), "<instant>"),
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<request id>"),
    (re.compile(r'(?<="secret_id")(: ?)"[0-9a-f]{8}"'), ':"<secret id>"'),
)


class Step(NamedTuple):
    """A command, and what it prints; None when the document does not say."""

    command: str
    printed: str | None


def steps_of(document: Path) -> list[Step]:
    found: list[Step] = []
    for match in BLOCK.finditer(document.read_text(encoding="utf-8")):
        if match["language"] == "sh":
            found.append(Step(match["text"], None))
        else:
            assert found[-1].printed is None, "two answers to one command"
            found[-1] = found[-1]._replace(printed=match["text"])
    return found


def run_steps(steps: Sequence[Step], port: int, folder: Path) -> list[str]:
    """What each command prints. All are run in one shell, as variables of one are used in later ones."""
    script = f"echo '{MARK}'\n".join(step.command for step in steps)
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", script.replace("localhost:8085", f"localhost:{port}")],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return [answer.replace(f"localhost:{port}", "localhost:8085") for answer in done.stdout.split(f"{MARK}\n")]


def shape(text: str) -> Any:
    """What is the same every time: all but ids and instants. Of JSON, whatever its layout."""
    for pattern, mask in MASKS:
        text = pattern.sub(mask, text)
    try:
        return json.loads(text)
    except ValueError:
        return text.strip()
