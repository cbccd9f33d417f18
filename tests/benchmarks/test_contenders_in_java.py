"""Contenders in Java: the JDK, the build, and the files of Keycloak and Spring."""

import json
import re
from pathlib import Path

import pytest

from benchmarks.contenders.contender import SCOPES
from benchmarks.contenders.java import choose_newest, fingerprint
from benchmarks.contenders.keycloak.contender import DISTRIBUTION, REALM
from benchmarks.contenders.spring_authorization_server.contender import version_of
from benchmarks.errors import ContenderUnavailable


def make_jdk(home: Path, version: str, *, compiler: bool = True) -> Path:
    (home / "bin").mkdir(parents=True)
    (home / "bin" / ("javac" if compiler else "java")).touch()
    (home / "release").write_text(f'IMPLEMENTOR="Somebody"\nJAVA_VERSION="{version}"\nJAVA_VERSION_DATE="2026-01-01"\n')
    return home


def test_newest_jdk_is_chosen_by_version_number(tmp_path):
    homes = [
        make_jdk(tmp_path / name, version) for name, version in [("a", "9.0.4"), ("b", "25.0.3"), ("c", "17.0.15")]
    ]
    assert choose_newest(homes, 17).home == tmp_path / "b"
    assert choose_newest(homes, 17).version == (25, 0, 3)


def test_jdk_is_accepted_when_its_version_is_exactly_the_minimum(tmp_path):
    assert choose_newest([make_jdk(tmp_path / "a", "25")], 25).version == (25,)


def test_runtime_without_a_compiler_is_ignored(tmp_path):
    homes = [make_jdk(tmp_path / "jre", "25.0.3", compiler=False), make_jdk(tmp_path / "jdk", "17.0.15")]
    assert choose_newest(homes, 17).home == tmp_path / "jdk"


def test_old_jdk_is_refused_with_its_version(tmp_path):
    homes = [make_jdk(tmp_path / "a", "17.0.15")]
    with pytest.raises(
        ContenderUnavailable, match=r"of version 21 or later, and the newest installed one is 17\.0\.15"
    ):
        choose_newest(homes, 21)


def test_error_says_that_a_jdk_is_missing_when_none_is_installed(tmp_path):
    with pytest.raises(ContenderUnavailable, match="none is installed: install one"):
        choose_newest([tmp_path / "nothing"], 17)


def test_fingerprint_changes_with_the_content_or_name_of_a_file(tmp_path):
    (tmp_path / "src").mkdir()
    source = tmp_path / "src" / "Server.java"
    source.write_text("one")
    first = fingerprint(tmp_path)
    source.write_text("two")
    second = fingerprint(tmp_path)
    source.rename(source.with_name("Other.java"))
    assert len({first, second, fingerprint(tmp_path)}) == 3


def test_fingerprint_ignores_pycache(tmp_path):
    (tmp_path / "pom.xml").write_text("<project/>")
    before = fingerprint(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "contender.pyc").touch()
    assert fingerprint(tmp_path) == before


def test_version_is_read_from_the_exact_library_name():
    jars = ["spring-boot-4.1.2.jar", "spring-boot-jdbc-4.1.2.jar", "postgresql-42.7.14.jar"]
    assert version_of("spring-boot", jars) == "4.1.2"
    assert version_of("postgresql", jars) == "42.7.14"


def test_environment_contains_every_variable_of_the_realm():
    realm = (DISTRIBUTION / "realm.json").read_text()
    without_default = re.findall(r"\$\{(\w+)\}", realm)
    assert set(without_default) == set(REALM)


def test_realm_defines_the_requested_scopes():
    realm = json.loads((DISTRIBUTION / "realm.json").read_text())
    issuing, introspecting = realm["clients"]
    defined = {scope["name"] for scope in realm["clientScopes"]}
    assert set(issuing["optionalClientScopes"]) == set(SCOPES) <= defined
    assert not introspecting["optionalClientScopes"]
