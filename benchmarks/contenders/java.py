"""Finds a JDK, and builds contenders in Java with Maven from their sources."""

import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders.processes import run_command
from benchmarks.errors import ContenderUnavailable

DISTRIBUTIONS = Path("/usr/lib/jvm")
"""Where Linux packages install JDKs."""

BUILD_SECONDS = 1800.0


@dataclass(frozen=True)
class Jdk:
    """A JDK and its version, such as (17, 0, 15)."""

    home: Path
    version: tuple[int, ...]

    @property
    def java(self) -> str:
        return str(self.home / "bin" / "java")

    @property
    def environment(self) -> Mapping[str, str]:
        return {"JAVA_HOME": str(self.home)}

    def __str__(self) -> str:
        return ".".join(map(str, self.version))


def find_jdk(minimum: int) -> Jdk:
    """Return the JDK of JAVA_HOME, or the newest installed one. Raises ContenderUnavailable when it is too old."""
    named = os.environ.get("JAVA_HOME")
    return choose_newest([Path(named)] if named else _homes(), minimum)


def choose_newest(homes: Iterable[Path], minimum: int) -> Jdk:
    """Return the newest JDK in these folders. Raises ContenderUnavailable when none has version `minimum` or later."""
    found = [Jdk(home, version) for home in homes if (version := _version(home))]
    chosen = max(found, key=lambda each: each.version, default=None)
    if chosen is None or chosen.version < (minimum,):
        what = f"the newest installed one is {chosen}" if chosen else "none is installed"
        msg = f"it needs a JDK of version {minimum} or later, and {what}: install one, or set JAVA_HOME"
        raise ContenderUnavailable(msg)
    return chosen


def build_sources(sources: Path, folder: Path, using: Jdk) -> Path:
    """Build these sources with Maven, once for each state of them; return the folder of the result."""
    work = folder / f"built-{fingerprint(sources)}"
    if not (work / "done").exists():
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(sources, work, ignore=shutil.ignore_patterns("__pycache__"))
        command = ["mvn", "--batch-mode", "--no-transfer-progress", "--file", str(work / "pom.xml"), "package"]
        run_command(command, environment=using.environment, seconds=BUILD_SECONDS)
        (work / "done").touch()
    return work


def fingerprint(sources: Path) -> str:
    """Return a hash of the names and contents of all files in a folder."""
    digest = hashlib.sha256()
    for file in sorted(sources.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            digest.update(f"{file.relative_to(sources)}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:12]


def _homes() -> Iterable[Path]:
    compiler = shutil.which("javac")
    return [*DISTRIBUTIONS.glob("*"), *([Path(compiler).resolve().parents[1]] if compiler else [])]


def _version(home: Path) -> tuple[int, ...] | None:
    """Return the version in the `release` file; None when there is no compiler."""
    release = home / "release"
    if not (home / "bin" / "javac").exists() or not release.exists():
        return None
    found = re.search(r'^JAVA_VERSION="(\d+(?:\.\d+)*)', release.read_text(), re.MULTILINE)
    return tuple(map(int, found[1].split("."))) if found else None
