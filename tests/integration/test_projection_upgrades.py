"""Upgrades of projections to a newer version while processes of the older release run."""

import asyncio

import pytest

from ledger.domain.recording import EventMapper
from ledger.postgres.append import OtherProjectionVersion
from projections.active_tokens import ActiveTokensProjection
from projections.following.lease import take_lease
from projections.rebuilding.errors import BuildRefused
from projections.rebuilding.upgrade import upgrade_projections
from projections.token_history import TokenHistoryProjection
from tests.integration.conftest import CAUSE, OTHER_ISSUER
from tests.integration.histories import (
    CHECKPOINT,
    NAMES,
    build,
    check,
    issue_and_revoke,
    write_some_history,
)


class NewerActiveTokens(ActiveTokensProjection):
    """The next version: subjects in capitals."""

    version = 2

    async def fold(self, connection, log_id, events):
        await super().fold(connection, log_id, events)
        await connection.execute("UPDATE active_tokens SET subject = upper(subject) WHERE log_id = $1", log_id)


class NewerTokenHistory(TokenHistoryProjection):
    """The next version, with the same rows."""

    version = 2


async def test_old_release_writes_nothing_when_inline_is_upgraded(database, service, issuer, client, superuser):
    await issue_and_revoke(issuer, client, 6)
    await build(database.owner_dsn, NewerActiveTokens(EventMapper()))
    subjects = await superuser.fetch("SELECT DISTINCT subject FROM active_tokens")
    assert [row["subject"] for row in subjects] == ["SHOP"]
    before = (await issuer.streams.head()).position
    with pytest.raises(OtherProjectionVersion, match="nothing was recorded"):
        await issuer.issuance.issue_token(client, None, CAUSE)
    assert (await issuer.streams.head()).position == before
    (problem,) = await service.problems()
    assert problem == (
        "Projection active_tokens has version 2 in this database, this release has 1: "
        "this release does not write it. Run the newer release."
    )
    with pytest.raises(BuildRefused, match="run the newer release"):
        await build(database.owner_dsn, "active_tokens")


async def test_old_follower_writes_nothing_when_catch_up_is_upgraded(database, service, issuer, client, superuser):
    service.follow()
    tokens = await issue_and_revoke(issuer, client, 6)
    await issuer.audit.moments.resolve(min_position=len(tokens))
    await build(database.owner_dsn, NewerTokenHistory(EventMapper()))
    ((_, position, version, _),) = [tuple(row) for row in await superuser.fetch(CHECKPOINT)]
    assert version == 2
    await issue_and_revoke(issuer, client, 3)
    await asyncio.sleep(0.1)
    assert (await superuser.fetch(CHECKPOINT))[0]["position"] == position
    assert (await check(database.owner_dsn, NewerTokenHistory(EventMapper()))).equal


async def test_older_code_begins_nothing_in_a_new_log(database, service, superuser):
    await write_some_history(service)
    await build(database.owner_dsn, NewerTokenHistory(EventMapper()))
    await superuser.execute("DELETE FROM projection_checkpoints WHERE log_id = 2")
    log = service.log(OTHER_ISSUER)
    assert await take_lease(log.database, 2, "token_history", 1, "older") is None
    assert [row["log_id"] for row in await superuser.fetch(CHECKPOINT)] == [1]
    assert await take_lease(log.database, 2, "token_history", 2, "newer")


async def test_upgrade_builds_exactly_the_older_projections(database, service, superuser):
    await write_some_history(service)
    assert await upgrade_projections(database.owner_dsn, holder="test", report=lambda _: None) == []
    await superuser.execute("UPDATE projection_versions SET version = 0 WHERE projection = 'active_tokens'")
    await superuser.execute("DELETE FROM projection_versions WHERE projection = 'clients'")
    await superuser.execute("UPDATE projection_checkpoints SET version = 0")
    assert len(await service.problems()) == 2
    built = await upgrade_projections(database.owner_dsn, holder="test", report=lambda _: None)
    assert [one.projection for one in built] == NAMES
    assert await service.problems() == []
    for name in NAMES:
        assert (await check(database.owner_dsn, name)).equal


async def test_upgrade_builds_once_when_processes_start_together(database, service, superuser, monkeypatch):
    monkeypatch.setattr("projections.rebuilding.upgrade.POLL_SECONDS", 0.01)
    await write_some_history(service)
    await superuser.execute("UPDATE projection_versions SET version = 0")
    starting = [upgrade_projections(database.owner_dsn, holder=str(n), report=lambda _: None) for n in range(3)]
    built = [one.projection for some in await asyncio.gather(*starting) for one in some]
    assert sorted(built) == ["active_tokens", "clients"]
