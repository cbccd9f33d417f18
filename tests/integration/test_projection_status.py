"""The status of projections is read from the database as of one instant."""

from datetime import UTC, datetime

import pytest

from ledger.domain.recording import EventMapper
from projections.active_tokens import ActiveTokensProjection
from projections.following import lease as checkpoint
from projections.following.status import BuildStatus, StoppedEvent, read_status
from projections.token_history import TokenHistoryProjection
from tests.integration.conftest import CAUSE

NAME = TokenHistoryProjection.name
STARTED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def look(service, issuer):
    """Read the status of a catch-up projection and of an inline one."""

    async def read():
        mapper = EventMapper()
        projections = [ActiveTokensProjection(mapper), TokenHistoryProjection(mapper)]
        inline, catch_up = await read_status(service.log(issuer.identifier), projections)
        return catch_up, inline

    return read


@pytest.fixture
async def issued(issuer, client):
    return [await issuer.issuance.issue_token(client, None, CAUSE) for _ in range(3)]


async def test_projections_are_live_when_log_does_not_exist(look):
    for status in await look():
        assert (status.state, status.position, status.head, status.lag_events) == ("live", 0, 0, 0)


async def test_projection_is_not_followed_when_it_never_was(look, issued):
    status, inline = await look()
    assert (status.state, status.version, status.expected_version, status.mode) == ("not followed", None, 1, "catch-up")
    assert (status.position, status.head, status.lag_events, status.holder) == (0, 4, 4, None)
    assert status.lag_seconds > 0
    assert (inline.state, inline.position, inline.head, inline.mode) == ("live", 4, 4, "inline")
    assert (inline.lag_events, inline.lag_seconds) == (0, 0)


async def test_projection_is_live_when_a_process_follows(look, issued, service, issuer):
    await service.catch_up()
    log = service.log(issuer.identifier)
    assert await checkpoint.take_lease(log.database, await log.find_id(), NAME, 1, "host:7")
    status, _ = await look()
    assert (status.state, status.holder, status.lag_events, status.lag_seconds) == ("live", "host:7", 0, 0)


async def test_projection_is_not_followed_when_lease_has_expired(look, issued, service, issuer, superuser):
    await service.catch_up()
    log = service.log(issuer.identifier)
    assert await checkpoint.take_lease(log.database, await log.find_id(), NAME, 1, "host:7")
    await superuser.execute("UPDATE projection_checkpoints SET lease_until = clock_timestamp() - interval '1 ms'")
    status, _ = await look()
    assert (status.state, status.holder) == ("not followed", None)


async def test_lag_is_the_age_of_the_oldest_event_not_applied(look, issued, service, superuser):
    await service.catch_up()
    await superuser.execute("UPDATE projection_checkpoints SET position = 2, lease_until = now() + interval '1 hour'")
    await superuser.execute("UPDATE event_log SET recorded_at = recorded_at - interval '90 s' WHERE position <= 3")
    status, _ = await look()
    assert (status.state, status.lag_events) == ("catching up", 2)
    assert 90 <= status.lag_seconds < 150


async def test_projection_is_stalled_when_it_stopped_at_an_event(look, issued, service, superuser):
    await service.catch_up()
    await superuser.execute(
        "UPDATE projection_checkpoints"
        " SET position = 2, stopped_at = 3, stopped_topic = 'token.issued', error_type = 'E', error = 'E: no'"
    )
    status, inline = await look()
    assert (status.state, status.stopped, status.is_stalled) == (
        "stopped",
        StoppedEvent(3, "token.issued", "E", "E: no"),
        True,
    )
    assert inline.state == "live"


async def test_projection_is_stale_when_rows_are_of_another_version(look, issued, service, superuser):
    await service.catch_up()
    await superuser.execute("UPDATE projection_checkpoints SET version = 2")
    status, _ = await look()
    assert (status.state, status.version, status.expected_version) == ("stale", 2, 1)


async def test_status_shows_the_build_when_projection_is_rebuilt(look, issued, service, issuer, superuser):
    log_id = await service.log(issuer.identifier).find_id()
    await superuser.execute(
        "INSERT INTO projection_builds VALUES ('token_history', 2, 'building', $1, $1, 'host:9')", STARTED
    )
    for log, position in ((log_id, 3), (log_id + 1, 1)):
        await superuser.execute(
            "INSERT INTO projection_build_positions VALUES ('token_history', $1, $2)", log, position
        )
    status, inline = await look()
    assert status.state == "rebuilding"
    assert status.build == BuildStatus(version=2, state="building", position=3, holder="host:9", started_at=STARTED)
    assert inline.build is None


async def test_service_reports_every_projection_of_every_issuer(service, issued):
    found = {(status.log, status.projection) for status in await service.projections()}
    names = ("active_tokens", "clients", "token_history", "event_index")
    assert found == {(log, name) for log in ("first", "second") for name in names}


async def test_follower_counts_events_and_batches(service, issued, issuer):
    service.follow()
    await issuer.audit.moments.resolve(min_position=4)
    (counts,) = [c for c in service.counts().followers if (c.log, c.projection) == ("first", NAME)]
    assert (counts.following, counts.events) == (True, 4)
    assert 1 <= counts.batches <= 4
    (log,) = [log for log in service.counts().logs if log.log == "first"]
    assert (log.waiting, log.readers, log.appends.events) == (0, 0, 4)
    await service.close()
    assert not counts.following
