"""Documentation pages as scripts: their shell blocks, how each is run, and the output printed after it.

A comment before a block changes how it is run:

- `<!-- run: only parsed, REASON -->`: it needs something that is not there.
- `<!-- run: in another terminal, until "TEXT" -->`: it runs until it prints TEXT, and then gets Ctrl-C.
- `<!-- output: an example -->`: the output is not compared.

`make run` starts the demo, which serves on a free port in place of 8085.
"""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import textwrap
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from service_process import COMMAND, ROOT, TIMEOUT_SECONDS, clean_environment

from api.embedded_postgres.programs import find_programs

_BLOCK = re.compile(
    r"^(?P<indent> *)(?:<!-- (?P<mark>(?:run|output): .+?) -->\n *)?```(?P<language>\w*)\n"
    r"(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_MASKS = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| UTC)"), "<instant>"),
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<sha256>"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<request id>"),
    (re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{128}(?![A-Za-z0-9_-])"), "<token>"),  # it can begin with "-"
    (re.compile(r'("secret_id": ?)"[0-9a-f]{8}"'), r'\1"<secret id>"'),
    (re.compile(r'("next": ?)"[^"]+"'), r'\1"<cursor>"'),
    (re.compile(r'("(?:expires_in|nbf|iat|exp)": ?)\d+'), r"\g<1>0"),
    (re.compile(r'("active": ?)\d+'), r"\g<1>0"),
)
_LANGUAGES = {"sh", "json", "text", "toml", "yaml", "python", "sql"}
_FENCE = "end of block"


@dataclass(frozen=True)
class Block:
    """A shell block of a page. `until` is the text to wait for before Ctrl-C; `printed` is the output to compare."""

    command: str
    only_parsed: bool = False
    until: str | None = None
    printed: str | None = None


def blocks_of(page: Path) -> list[Block]:
    """The shell blocks of a page in order. Raises ValueError for a mark or a language of a block that is not known."""
    found: list[Block] = []
    for match in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        text, mark, language = textwrap.dedent(match["text"]), match["mark"] or "", match["language"]
        until = re.fullmatch(r'run: in another terminal, until "(.+)"', mark)
        only_parsed = mark.startswith("run: only parsed, ")
        if language not in _LANGUAGES or not (until or only_parsed or mark in {"", "output: an example"}):
            msg = f"{page}: {mark or language!r} is unknown, before {text}"
            raise ValueError(msg)
        if language == "sh":
            found.append(Block(text, only_parsed, until[1] if until else None))
        elif language in {"json", "text"} and not mark:
            assert found[-1].printed is None, f"two outputs of one command: {text}"
            found[-1] = replace(found[-1], printed=text)
    return found


def shape(text: str) -> Any:
    """What is the same in every run: everything but ids, instants and counts that depend on them."""
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    try:
        return json.loads(text)
    except ValueError:
        return text.strip()


def lay_out_clone(folder: Path) -> None:
    """Make the folder look like a clone after `make setup`: the tracked files, and `.venv` with the command."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in {Path(line).parts[0] for line in listed.splitlines()}:
        if (ROOT / name).exists():
            (folder / name).symlink_to(ROOT / name)
    binaries = folder / ".venv" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "activate").write_text(f'export PATH="{binaries}:$PATH"\n')
    _write_program(binaries / "token-ledger", f"exec {shlex.join(COMMAND)}")
    _write_program(binaries / "psql", f"exec {shlex.quote(str(find_programs() / 'psql'))}")


def _write_program(path: Path, command: str) -> None:
    path.write_text(f'#!/bin/sh\n{command} "$@"\n')
    path.chmod(0o755)


class Shell:
    """One bash in which the blocks of a page are run in turn. It exits at the first command that fails."""

    def __init__(self, folder: Path, ports: Mapping[str, int]) -> None:
        self._folder = folder
        self._ports = ports
        self._errors = (folder / "stderr").open("w+", encoding="utf-8")
        self._bash = subprocess.Popen(
            ["bash", "-eu", "-o", "pipefail"],
            cwd=folder,
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bash.kill()
        self._bash.communicate()
        self._errors.close()

    def run(self, command: str) -> str:
        """Run a block to its end; what it printed, with the ports of the page."""
        assert self._bash.stdin is not None
        self._bash.stdin.write(f"{{\n{self._with_ports(command)}}} </dev/null\nprintf '\\n{_FENCE}\\n'\n")
        self._bash.stdin.flush()
        printed = "".join(self._lines_until_fence(command))
        for documented, port in self._ports.items():
            printed = printed.replace(f"localhost:{port}", f"localhost:{documented}")
        return printed.removesuffix("\n")

    def run_until(self, command: str, text: str) -> None:
        """Run a command in a terminal of its own until it prints the text, and end it with Ctrl-C."""
        self.run("export -p > .environment\n")
        process = subprocess.Popen(
            ["bash", "-c", f". ./.environment; exec {self._with_ports(command)}"],
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            # Children of a background shell inherit that SIGINT is ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 (it calls no Python lock)
        )
        hung = threading.Timer(TIMEOUT_SECONDS, os.killpg, (process.pid, signal.SIGKILL))
        hung.start()
        with process:
            assert process.stdout is not None
            seen: list[str] = []
            for line in process.stdout:
                seen.append(line)
                if text in line:
                    os.killpg(process.pid, signal.SIGINT)
                    break
            seen += process.stdout
        hung.cancel()
        assert any(text in line for line in seen), f"{command}\n{''.join(seen)}"
        assert process.returncode == 0, f"{command}\n{''.join(seen)}"

    def _with_ports(self, command: str) -> str:
        for documented, port in self._ports.items():
            command = re.sub(rf"\b{documented}\b", str(port), command)
        return command

    def _lines_until_fence(self, command: str) -> Iterator[str]:
        assert self._bash.stdout is not None
        for line in self._bash.stdout:
            if line == f"{_FENCE}\n":
                return
            yield line
        self._errors.seek(0)
        msg = f"a command failed\n{command}\n{self._errors.read()}"
        raise AssertionError(msg)


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
