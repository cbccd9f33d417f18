"""An operator can skip the event at which a projection has stopped; followers and rebuilds then skip it for ever."""

import asyncio

import asyncpg
import pytest

from ledger.domain.recording import EventMapper
from ledger.postgres.database import Database
from ledger.postgres.logs import Log
from ledger.postgres.notifications import LogNotifications
from projections.following import batches, follower
from projections.following.batches import EventNotApplied
from projections.following.follower import Follower
from projections.following.skips import (
    AlreadySkipped,
    NotStoppedAtEvent,
    Skip,
    read_skips,
    skip_event,
    skipped_positions,
)
from projections.projection import Projection
from projections.token_history import TokenHistoryProjection
from tests.integration.conftest import CAUSE
from tests.integration.followers import Failing, Failure, until

NAME = TokenHistoryProjection.name
WHY = {"reason": "INC-1: known", "actor": "operator:ada"}


class Other(Projection):
    """A second catch-up projection, which applies every event."""

    name = "other"
    version = 1
    handles = TokenHistoryProjection.handles
    tables = ()

    async def fold(self, connection, log_id, events):
        pass


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(follower, "RETRY_SECONDS", 0.02)
    monkeypatch.setattr(follower, "GATHER_SECONDS", 0.0)


@pytest.fixture
async def log(database, issuer):
    made = Database(database.service_dsn)
    yield Log(made, issuer.identifier.log_name)
    await made.close()


@pytest.fixture
async def follow(log, database):
    """Start followers, which run until the end of the test."""
    notifications = LogNotifications(database.service_dsn)
    tasks = []

    def start(*projections):
        followers = [Follower(log, projection, notifications, holder="test") for projection in projections]
        tasks.extend(asyncio.create_task(follower.run()) for follower in followers)
        return followers

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await notifications.close()


@pytest.fixture
async def issued(issuer, client):
    """Positions 2 to 6 of the log; 1 is the client."""
    tokens = [await issuer.issuance.issue_token(client, None, CAUSE) for _ in range(5)]
    assert [token.position for token in tokens] == [2, 3, 4, 5, 6]
    return tokens


@pytest.fixture
def wait_until_at(superuser):
    async def wait(position: int, *, stopped_at: int | None, projection: str = NAME):
        query = "SELECT position, stopped_at FROM projection_checkpoints WHERE projection = $1"

        async def reached():
            row = await superuser.fetchrow(query, projection)
            return row is not None and tuple(row) == (position, stopped_at)

        await until(reached)

    return wait


async def skip(log, position, **why):
    return await skip_event(log.database, await log.find_id(), NAME, position, **WHY | why)


async def test_skip_is_refused_when_projection_is_not_stopped_there(log, follow, issued, wait_until_at, superuser):
    with pytest.raises(NotStoppedAtEvent, match="it is not stopped"):
        await skip(log, 4)
    follow(Failing(4))
    await wait_until_at(3, stopped_at=4)
    for position in (3, 5, 0, 99):
        with pytest.raises(NotStoppedAtEvent, match="it is stopped at position 4"):
            await skip(log, position)
    with pytest.raises(NotStoppedAtEvent):
        await skip_event(log.database, await log.find_id(), "other", 4, **WHY)
    assert await superuser.fetchval("SELECT count(*) FROM projection_skips") == 0


async def test_follower_skips_exactly_that_event_when_it_is_skipped(log, follow, issued, wait_until_at, superuser):
    projection = Failing(4)
    follow(projection)
    await wait_until_at(3, stopped_at=4)
    skipped = await skip(log, 4)
    await wait_until_at(6, stopped_at=None)
    assert projection.applied == [2, 3, 5, 6]
    assert (skipped.position, skipped.topic, skipped.error) == (4, "token.issued", "Failure: no such thing at 4")
    assert (skipped.reason, skipped.actor) == ("INC-1: known", "operator:ada")
    async with log.database.connection() as connection:
        assert await read_skips(connection, await log.find_id(), NAME) == [skipped]


async def test_follower_stops_again_when_a_later_event_fails(log, follow, issued, wait_until_at):
    projection = Failing(3, 5)
    follow(projection)
    await wait_until_at(2, stopped_at=3)
    await skip(log, 3)
    await wait_until_at(4, stopped_at=5)
    await skip(log, 5)
    await wait_until_at(6, stopped_at=None)
    assert projection.applied == [2, 4, 6]


async def test_event_stays_skipped_when_a_fixed_release_could_apply_it(log, issued):
    """So a rebuilt projection has the same rows."""
    stopped = Failing(4)
    with pytest.raises(EventNotApplied):
        await catch_up(log, stopped)
    await mark_stopped(log, 4)
    await skip(log, 4)
    fixed = Failing()
    await catch_up(log, fixed)
    assert (stopped.applied, fixed.applied) == ([], [2, 3, 5, 6])


async def test_skip_is_refused_when_event_is_skipped_and_is_permanent(log, issued):
    with pytest.raises(EventNotApplied):
        await catch_up(log, Failing(4))
    await mark_stopped(log, 4)
    await skip(log, 4)
    with pytest.raises(AlreadySkipped, match="already skipped by operator:ada: INC-1: known"):
        await skip(log, 4, actor="operator:ben")
    for statement in ("DELETE FROM projection_skips", "UPDATE projection_skips SET actor = 'operator:ben'"):
        async with log.database.connection() as connection:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)


async def test_skips_are_read_per_projection_log_and_range(log, issued):
    log_id = await log.find_id()
    async with log.database.connection() as connection:
        for of, projection, position in ((log_id, NAME, 3), (log_id, NAME, 5), (log_id, "other", 4), (99, NAME, 6)):
            await connection.execute(
                "INSERT INTO projection_skips VALUES ($1, $2, $3, 'token.issued', NULL, 'why', 'operator:ada', now())",
                of,
                projection,
                position,
            )
        assert await skipped_positions(connection, log_id, NAME) == {3, 5}
        assert await skipped_positions(connection, log_id, NAME, after=3) == {5}
        assert await skipped_positions(connection, log_id, NAME, until=4) == {3}
        assert [found.position for found in await read_skips(connection, log_id, NAME)] == [3, 5]
        assert isinstance((await read_skips(connection, log_id, NAME))[0], Skip)


async def test_other_projections_continue_when_one_is_stopped(follow, issued, wait_until_at, issuer, client):
    follow(Failing(4), Other(EventMapper()))
    await wait_until_at(3, stopped_at=4)
    token = await issuer.issuance.issue_token(client, None, CAUSE)
    await wait_until_at(token.position, stopped_at=None, projection="other")


async def test_projection_continues_when_another_process_can_apply(follow, issued, wait_until_at):
    follow(Failing(4))
    await wait_until_at(3, stopped_at=4)
    fixed = Failing()
    follow(fixed)
    await wait_until_at(6, stopped_at=None)
    assert fixed.applied == [4, 5, 6]


async def test_follower_resumes_batches_when_a_batch_failed_once(log, issued, monkeypatch):
    monkeypatch.setattr(batches, "BATCH_SIZE", 2)

    class FailingOnce(Failing):
        """Fails its first batch."""

        batches = 0

        async def fold(self, connection, log_id, events):
            self.batches += 1
            if self.batches == 1:
                raise Failure
            await super().fold(connection, log_id, events)

    projection = FailingOnce()
    made = Follower(log, projection, None, holder="test")
    lease = await made._take()
    position = 0
    while position < 6:
        position = (await made._applier.apply_up_to_failure(lease)).position
    assert projection.applied == [2, 3, 4, 5, 6]
    assert made.counts.events == 6
    assert made.counts.batches == 4  # 1 and 2 one by one, then two at a time
    await made._release()


async def catch_up(log, projection):
    assert await Follower(log, projection, None, holder="test").catch_up()


async def mark_stopped(log, position):
    async with log.database.connection() as connection:
        await connection.execute(
            "UPDATE projection_checkpoints SET stopped_at = $1, stopped_topic = 'token.issued', error = 'x'", position
        )
