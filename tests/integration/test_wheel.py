"""The wheel contains everything the service needs at run time: modules, SQL files, migrations and the licence."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("api", "ledger", "migrations", "projections")


@pytest.fixture(scope="module")
def contents(tmp_path_factory) -> set[str]:
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = "import setuptools.build_meta as backend, sys; backend.build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(out)], cwd=source, check=True, capture_output=True)
    (wheel,) = out.glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


def test_wheel_contains_every_file_of_the_packages(contents):
    files = {
        path.relative_to(ROOT).as_posix()
        for name in PACKAGES
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert {file for file in files if file.endswith(".sql")}
    assert files - contents == set()


def test_wheel_contains_nothing_else_but_metadata_and_licence(contents):
    folders = {name.split("/")[0] for name in contents}

    assert {folder for folder in folders if not folder.endswith(".dist-info")} == set(PACKAGES)
    assert [name for name in contents if name.endswith(".dist-info/licenses/LICENSE")]
