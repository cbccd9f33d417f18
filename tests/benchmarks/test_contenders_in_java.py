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


@pytest.mark.parametrize(
    ("versions", "minimum", "chosen"),
    [
        (["9.0.4", "25.0.3", "17.0.15"], 17, (25, 0, 3)),  # by number, not by text
        (["25"], 25, (25,)),
    ],
)
def test_newest_jdk_is_chosen(tmp_path, versions, minimum, chosen):
    homes = [make_jdk(tmp_path / version, version) for version in versions]
    found = choose_newest(homes, minimum)
    assert (found.home, found.version) == (tmp_path / ".".join(map(str, chosen)), chosen)


def test_runtime_without_a_compiler_is_ignored(tmp_path):
    homes = [make_jdk(tmp_path / "jre", "25.0.3", compiler=False), make_jdk(tmp_path / "jdk", "17.0.15")]
    assert choose_newest(homes, 17).home == tmp_path / "jdk"


@pytest.mark.parametrize(
    ("versions", "message"),
    [
        (["17.0.15"], r"of version 21 or later, and the newest installed one is 17\.0\.15"),
        ([], "none is installed: install one"),
    ],
)
def test_no_jdk_is_chosen_when_all_are_too_old_or_none_is_installed(tmp_path, versions, message):
    homes = [make_jdk(tmp_path / version, version) for version in versions]
    with pytest.raises(ContenderUnavailable, match=message):
        choose_newest([*homes, tmp_path / "nothing"], 21)


def test_fingerprint_changes_with_content_and_name_but_not_pycache(tmp_path):
    (tmp_path / "__pycache__").mkdir()
    source = tmp_path / "Server.java"
    source.write_text("one")
    first = fingerprint(tmp_path)
    (tmp_path / "__pycache__" / "contender.pyc").touch()
    assert fingerprint(tmp_path) == first
    source.write_text("two")
    second = fingerprint(tmp_path)
    source.rename(source.with_name("Other.java"))
    assert len({first, second, fingerprint(tmp_path)}) == 3


def test_version_is_read_from_the_exact_library_name():
    jars = ["spring-boot-4.1.2.jar", "spring-boot-jdbc-4.1.2.jar", "postgresql-42.7.14.jar"]
    assert version_of("spring-boot", jars) == "4.1.2"
    assert version_of("postgresql", jars) == "42.7.14"


def test_realm_uses_every_variable_and_defines_the_requested_scopes():
    text = (DISTRIBUTION / "realm.json").read_text()
    assert set(re.findall(r"\$\{(\w+)\}", text)) == set(REALM)
    realm = json.loads(text)
    issuing, introspecting = realm["clients"]
    defined = {scope["name"] for scope in realm["clientScopes"]}
    assert set(issuing["optionalClientScopes"]) == set(SCOPES) <= defined
    assert not introspecting["optionalClientScopes"]
