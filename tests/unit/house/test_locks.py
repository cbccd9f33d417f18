"""The locks pin all that pyproject.toml asks for, by hash, and say of no place where to get it."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RUNTIME = PROJECT["project"]["dependencies"]
EVERYTHING = [
    *RUNTIME,
    *PROJECT["project"]["optional-dependencies"]["embedded"],
    *PROJECT["dependency-groups"]["dev"],
]
LOCKS = {
    "build.txt": PROJECT["build-system"]["requires"],
    "runtime.txt": RUNTIME,
    "dev.txt": EVERYTHING,
    "bench.txt": PROJECT["dependency-groups"]["bench"],
}
PIN = re.compile(r"^([\w.-]+)==(\S+)( ; .+?)? \\$", re.MULTILINE)


def text(lock: str) -> str:
    return (ROOT / "requirements" / lock).read_text(encoding="utf-8")


def pins(lock: str) -> dict[str, str]:
    return {canonicalize_name(name): version for name, version, _ in PIN.findall(text(lock))}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_meets_what_pyproject_asks_for(lock):
    pinned = pins(lock)

    unmet = [
        wanted
        for wanted in map(Requirement, LOCKS[lock])
        if not wanted.specifier.contains(pinned.get(canonicalize_name(wanted.name), "0"))
        or canonicalize_name(wanted.name) not in pinned
    ]
    assert unmet == [], "run: make lock"


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_nothing_but_pins_with_hashes(lock):
    requirements = re.split(r"(?<!\\)\n", text(lock).strip())
    pinned = [line for line in requirements if not line.startswith("#")]

    assert len(pinned) == len(PIN.findall(text(lock))) > 0
    assert [line for line in pinned if not re.search(r"--hash=sha256:[0-9a-f]{64}$", line)] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_place(lock):
    assert re.findall(r"://|--(?:extra-)?index|--find-links|@ ", text(lock)) == []


def test_developers_run_what_is_deployed():
    assert pins("runtime.txt").items() <= pins("dev.txt").items()


def test_what_draws_the_benchmarks_goes_into_the_environment_of_developers():
    dev = pins("dev.txt")

    assert {name: version for name, version in pins("bench.txt").items() if name in dev and dev[name] != version} == {}


def test_neither_service_nor_developers_need_what_draws_and_samples_the_benchmarks():
    assert {"matplotlib", "py-spy"}.isdisjoint(pins("dev.txt"))
