"""The example of docs/how-to/add-a-projection.md is followed, rebuilt, verified and replayed."""

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from projections import catalogue
from projections.rebuilding.replay import replay_projection
from tests.databases import SERVICE
from tests.integration.conftest import CAUSE, register_client
from tests.integration.histories import build, check, of, rows

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-projection.md"
NAME = "revocation_reasons"


@pytest.fixture
def example(tmp_path, monkeypatch):
    """The two modules of the page: the projection, added to the catalogue, and the migration, which is returned."""
    modules = []
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    for name, text in zip(("example_projection", "example_migration"), blocks, strict=True):
        (tmp_path / f"{name}.py").write_text(text)
        spec = spec_from_file_location(name, tmp_path / f"{name}.py")
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        modules.append(module)
    projection, migration = modules
    monkeypatch.setattr(catalogue, "PROJECTIONS", (*catalogue.PROJECTIONS, projection.RevocationReasons))
    return migration


@pytest.fixture
async def owner(database, example):
    connection = await asyncpg.connect(database.owner_dsn)
    for statement in example.STATEMENTS:
        await connection.execute(statement)
    for table, privileges in example.GRANTS.items():
        await connection.execute(f"GRANT {privileges} ON {table} TO {SERVICE}")
    yield connection
    await connection.close()


async def test_example_projection_is_followed_rebuilt_verified_and_replayed(database, owner, start_process):
    service = await start_process()
    issuer = service.issuers[0]
    client = await register_client(issuer)
    for _ in range(3):
        token = await issuer.issuance.issue_token(client, None, CAUSE)
        await issuer.revocation.revoke_by_jti(UUID(token.jti), "lost", CAUSE)
    other = await issuer.issuance.issue_token(client, None, CAUSE)
    await issuer.revocation.revoke_by_jti(UUID(other.jti), "stolen", CAUSE)
    await service.catch_up()
    expected = {NAME: [(1, "lost", 3), (1, "stolen", 1)]}
    assert await rows(owner, NAME) == expected
    assert (await check(database.owner_dsn, NAME)).equal
    await owner.execute(f"UPDATE {NAME} SET tokens = 2 WHERE reason = 'lost'")  # noqa: S608
    (difference,) = (await check(database.owner_dsn, NAME)).differences.first
    assert (difference.before, difference.after) == ({"tokens": 3}, {"tokens": 2})
    await build(database.owner_dsn, NAME)
    assert await rows(owner, NAME) == expected
    replayed = await replay_projection(database.owner_dsn, of(NAME), 1, until=3, schema="then")
    assert await owner.fetchval(f"SELECT tokens FROM {replayed.quoted}.{NAME}") == 1  # noqa: S608
