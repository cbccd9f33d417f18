"""Lock files pin every requirement of pyproject.toml by version and hash, and name no host."""

import re
import tomllib

import pytest
from documents import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS = PROJECT["dependency-groups"]
RUNTIME = PROJECT["project"]["dependencies"]
LOCKS = {
    "build.txt": PROJECT["build-system"]["requires"],
    "runtime.txt": RUNTIME,
    "dev.txt": [*RUNTIME, *PROJECT["project"]["optional-dependencies"]["embedded"], *GROUPS["dev"]],
    "bench.txt": GROUPS["bench"],
}
CONTENDERS = ROOT / "benchmarks/contenders"
CONTENDER_LOCKS = (
    CONTENDERS / "django_oauth_toolkit/requirements.txt",
    CONTENDERS / "node_oidc_provider/package-lock.json",
)
PIN = re.compile(r"^([\w.-]+)==(\S+)( ; .+?)? \\$", re.MULTILINE)
HOST = re.compile(r"://|--(?:extra-)?index|--find-links|--trusted-host|@ |\"resolved\"")


def text(lock):
    return (ROOT / "requirements" / lock).read_text()


def pins(lock):
    return {canonicalize_name(name): version for name, version, _ in PIN.findall(text(lock))}


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_meets_the_requirements_of_pyproject(lock):
    pinned = pins(lock)
    unmet = []
    for wanted in map(Requirement, LOCKS[lock]):
        version = pinned.get(canonicalize_name(wanted.name))
        if version is None or not wanted.specifier.contains(version):
            unmet.append(wanted)
    assert unmet == [], "run: make lock"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_of_a_lock_is_a_pin_with_a_hash(lock):
    lines = [line for line in re.split(r"(?<!\\)\n", text(lock).strip()) if not line.startswith("#")]
    assert len(lines) == len(PIN.findall(text(lock))) > 0
    assert [line for line in lines if not re.search(r"--hash=sha256:[0-9a-f]{64}$", line)] == []


@pytest.mark.parametrize("file", [*(ROOT / "requirements" / lock for lock in LOCKS), *CONTENDER_LOCKS])
def test_lock_names_no_host(file):
    assert HOST.findall(file.read_text()) == []


def test_dev_lock_pins_the_same_versions_as_runtime():
    assert pins("runtime.txt").items() <= pins("dev.txt").items()


def test_bench_lock_agrees_with_dev_lock_and_only_it_has_bench_tools():
    dev, bench = pins("dev.txt"), pins("bench.txt")
    assert {name: version for name, version in bench.items() if name in dev and dev[name] != version} == {}
    assert {"matplotlib", "py-spy"}.isdisjoint(dev)
