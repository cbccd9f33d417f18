import json
import re
from pathlib import Path

import pytest

from benchmarks.contenders.contender import SCOPES, CannotHave
from benchmarks.contenders.java import fingerprint, newest
from benchmarks.contenders.keycloak.contender import DISTRIBUTION, REALM
from benchmarks.contenders.spring_authorization_server.contender import version_of


def make_jdk(home: Path, version: str, *, compiler: bool = True) -> Path:
    (home / "bin").mkdir(parents=True)
    (home / "bin" / ("javac" if compiler else "java")).touch()
    (home / "release").write_text(f'IMPLEMENTOR="Somebody"\nJAVA_VERSION="{version}"\nJAVA_VERSION_DATE="2026-01-01"\n')
    return home


def test_the_newest_jdk_is_chosen_by_number_not_by_name(tmp_path):
    homes = [
        make_jdk(tmp_path / name, version) for name, version in [("a", "9.0.4"), ("b", "25.0.3"), ("c", "17.0.15")]
    ]
    assert newest(homes, 17).home == tmp_path / "b"
    assert newest(homes, 17).version == (25, 0, 3)


def test_the_first_release_of_a_version_is_one_of_it(tmp_path):
    assert newest([make_jdk(tmp_path / "a", "25")], 25).version == (25,)


def test_a_runtime_without_a_compiler_is_no_jdk(tmp_path):
    homes = [make_jdk(tmp_path / "jre", "25.0.3", compiler=False), make_jdk(tmp_path / "jdk", "17.0.15")]
    assert newest(homes, 17).home == tmp_path / "jdk"


def test_a_jdk_that_is_too_old_is_refused_with_its_version(tmp_path):
    homes = [make_jdk(tmp_path / "a", "17.0.15")]
    with pytest.raises(CannotHave, match=r"from version 21 on, and the newest here is 17\.0\.15"):
        newest(homes, 21)


def test_a_machine_without_java_is_told_what_is_missing(tmp_path):
    with pytest.raises(CannotHave, match="none is here: install one"):
        newest([tmp_path / "nothing"], 17)


def test_sources_are_built_anew_when_a_file_changes_its_content_or_its_name(tmp_path):
    (tmp_path / "src").mkdir()
    source = tmp_path / "src" / "Server.java"
    source.write_text("one")
    first = fingerprint(tmp_path)
    source.write_text("two")
    second = fingerprint(tmp_path)
    source.rename(source.with_name("Other.java"))
    assert len({first, second, fingerprint(tmp_path)}) == 3


def test_what_python_caches_beside_sources_does_not_count(tmp_path):
    (tmp_path / "pom.xml").write_text("<project/>")
    before = fingerprint(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "contender.pyc").touch()
    assert fingerprint(tmp_path) == before


def test_a_version_is_read_of_the_library_itself_not_of_one_whose_name_begins_alike():
    jars = ["spring-boot-4.1.2.jar", "spring-boot-jdbc-4.1.2.jar", "postgresql-42.7.14.jar"]
    assert version_of("spring-boot", jars) == "4.1.2"
    assert version_of("postgresql", jars) == "42.7.14"


def test_what_the_realm_takes_from_the_environment_is_all_there():
    realm = (DISTRIBUTION / "realm.json").read_text()
    without_default = re.findall(r"\$\{(\w+)\}", realm)
    assert set(without_default) == set(REALM)


def test_the_realm_has_the_scopes_that_are_asked_for():
    realm = json.loads((DISTRIBUTION / "realm.json").read_text())
    issuing, introspecting = realm["clients"]
    defined = {scope["name"] for scope in realm["clientScopes"]}
    assert set(issuing["optionalClientScopes"]) == set(SCOPES) <= defined
    assert not introspecting["optionalClientScopes"]
