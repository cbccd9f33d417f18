"""What contenders in Java need: a JDK, and Maven to build with it from sources that are beside the contender."""

import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders.contender import CannotHave
from benchmarks.contenders.starting import run

DISTRIBUTIONS = Path("/usr/lib/jvm")
"""Where packages of Linux put JDKs."""

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


def jdk(minimum: int) -> Jdk:
    """The one that JAVA_HOME names, or else the newest of this machine. Raises CannotHave when it is too old."""
    named = os.environ.get("JAVA_HOME")
    return newest([Path(named)] if named else _homes(), minimum)


def newest(homes: Iterable[Path], minimum: int) -> Jdk:
    """The newest of these, leaving out what is no JDK. Raises CannotHave when there is none from `minimum` on."""
    found = [Jdk(home, version) for home in homes if (version := _version(home))]
    chosen = max(found, key=lambda each: each.version, default=None)
    if chosen is None or chosen.version < (minimum,):
        what = f"the newest here is {chosen}" if chosen else "none is here"
        msg = f"it needs a JDK from version {minimum} on, and {what}: install one, or name it with JAVA_HOME"
        raise CannotHave(msg)
    return chosen


def built(sources: Path, folder: Path, using: Jdk) -> Path:
    """Where Maven has left what `package` makes of these sources, which is done once for each state of them.

    The packages that it gets stay in its own cache.
    """
    work = folder / f"built-{fingerprint(sources)}"
    if not (work / "done").exists():
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(sources, work, ignore=shutil.ignore_patterns("__pycache__"))
        command = ["mvn", "--batch-mode", "--no-transfer-progress", "--file", str(work / "pom.xml"), "package"]
        run(command, environment=using.environment, seconds=BUILD_SECONDS)
        (work / "done").touch()
    return work


def fingerprint(sources: Path) -> str:
    """Of what files of a folder are called and hold."""
    digest = hashlib.sha256()
    for file in sorted(sources.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            digest.update(f"{file.relative_to(sources)}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:12]


def _homes() -> Iterable[Path]:
    compiler = shutil.which("javac")
    return [*DISTRIBUTIONS.glob("*"), *([Path(compiler).resolve().parents[1]] if compiler else [])]


def _version(home: Path) -> tuple[int, ...] | None:
    """What a JDK's `release` file says; None where there is no compiler."""
    release = home / "release"
    if not (home / "bin" / "javac").exists() or not release.exists():
        return None
    found = re.search(r'^JAVA_VERSION="(\d+(?:\.\d+)*)', release.read_text(), re.MULTILINE)
    return tuple(map(int, found[1].split("."))) if found else None
