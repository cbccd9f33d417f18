"""Reads of a partly archived log are exact, or refused with the archived range."""

from datetime import UTC, datetime, timedelta

import pytest

from ledger.domain.errors import Archived
from ledger.domain.token_record import Moment
from ledger.postgres.database import Database
from ledger.postgres.logs import Log
from ledger.use_cases.audit import EventQuery, TokenQuery
from projections.following.follower import ArchivedPastCheckpoint, Follower
from projections.rebuilding import builder
from projections.rebuilding.errors import ArchivesRequired, BuildRefused
from projections.rebuilding.replay import replay_projection
from projections.rebuilding.upgrade import upgrade_projections
from projections.token_history import TokenHistoryProjection
from tests.integration.conftest import CAUSE
from tests.integration.histories import NAMES, build, check, of, rows
from tests.integration.whole_logs import Archivist, restore
from tests.sample_logs import EXPIRES, REVOKED, STAYS_ACTIVE, export_of, old_log, stream

TOKENS = 40
LOG = old_log(TOKENS)
HALF = LOG[len(LOG) // 2]
UNTIL = HALF.position - 1
EXPIRED, ENDED, ALIVE = stream(1 + EXPIRES), stream(1 + REVOKED), stream(1 + STAYS_ACTIVE)
EVERYTHING = EventQuery()
A_MOMENT = timedelta(microseconds=1)


@pytest.fixture
async def service(database, start_process):
    """A service over a restored old log."""
    service = await start_process()
    owner = Database(database.owner_dsn, pool_size=2)
    await restore(Log(owner, service.issuers[0].identifier.log_name), export_of(LOG))
    await owner.close()
    await service.catch_up()
    return service


@pytest.fixture
async def archivist(database, tmp_path, service):
    owner = Database(database.owner_dsn, pool_size=3)
    yield Archivist(owner, tmp_path)
    await owner.close()


@pytest.fixture
def audit(service):
    return service.issuers[0].audit


class TestAudit:
    async def test_tokens_are_unchanged_when_archived(self, audit, archivist):
        before = [await audit.tokens.find_token(stream(1 + number)) for number in range(TOKENS)]
        await archivist.move(HALF.recorded_at)
        assert [await audit.tokens.find_token(stream(1 + number)) for number in range(TOKENS)] == before
        assert await audit.tokens.find_jti(EXPIRED.int.to_bytes(32)) == EXPIRED

    async def test_error_names_the_archive_when_token_events_are_archived(self, audit, archivist):
        archive = (await archivist.move(HALF.recorded_at)).archive
        for jti in (EXPIRED, ENDED):
            with pytest.raises(Archived, match=f"archive {archive.file_name} has them"):
                await audit.events.read_token_events(jti)
        assert [row.position for row in await audit.events.read_token_events(ALIVE)] == [4 + STAYS_ACTIVE - 1]
        assert await audit.events.read_token_events(stream(999_999)) == ()

    async def test_client_history_is_unchanged_when_archived(self, audit, archivist):
        before = await audit.events.read_client_events("shop")
        await archivist.move(HALF.recorded_at)
        assert await audit.events.read_client_events("shop") == before
        of_clients = EventQuery(types=("client.registered", "client.updated"))
        assert (await audit.events.find_events(of_clients, after=0, limit=1000)).events == before

    @pytest.mark.parametrize(
        "query",
        [
            EVERYTHING,
            EventQuery(types=("token.issued",)),
            EventQuery(client_id="shop"),
            EventQuery(subject="shop"),
            EventQuery(actor="client:shop"),
            EventQuery(until=LOG[-1].recorded_at),
        ],
    )
    async def test_events_start_after_the_archived_range_or_are_refused(self, audit, archivist, query):
        expected = await audit.events.find_events(query, after=UNTIL, limit=1000)
        await archivist.move(HALF.recorded_at)
        assert await audit.events.find_events(query, after=UNTIL, limit=1000) == expected
        for after in (0, 3, UNTIL - 1):
            with pytest.raises(Archived, match=f"start after position {UNTIL}"):
                await audit.events.find_events(query, after=after, limit=10)
            with pytest.raises(Archived, match=f"start after position {UNTIL}"):
                await audit.events.wait_for_events(query, after=after, seconds=0)

    async def test_moments_of_instants_are_exact_or_refused(self, audit, archivist):
        await archivist.move(HALF.recorded_at)
        first_kept = HALF.recorded_at
        assert (await audit.moments.resolve(first_kept)).position == HALF.position
        assert (await audit.moments.resolve(first_kept - A_MOMENT)).position == UNTIL
        last_archived = LOG[UNTIL - 1].recorded_at
        assert (await audit.moments.resolve(last_archived)).position == UNTIL
        with pytest.raises(Archived, match=f"archived up to position {UNTIL}"):
            await audit.moments.resolve(last_archived - A_MOMENT)
        with pytest.raises(Archived, match=f"archived up to position {UNTIL}"):
            await audit.events.find_events(EventQuery(since=LOG[4].recorded_at), after=0, limit=10)

    async def test_moments_of_positions_are_exact_or_refused(self, audit, archivist):
        before = [await audit.moments.resolve(position) for position in range(len(LOG) + 1)]
        await archivist.move(HALF.recorded_at)
        refused = []
        for position, moment in enumerate(before):
            try:
                assert await audit.moments.resolve(position) == moment
            except Archived:
                refused.append(position)
        assert refused
        assert max(refused) < UNTIL

    async def test_token_searches_are_unchanged_when_archived(self, audit, archivist):
        now = Moment(len(LOG), datetime(2025, 6, 1, tzinfo=UTC))
        instants = [
            LOG[0].recorded_at - A_MOMENT,
            *(LOG[n].recorded_at + d for n in (1, 2, 9, 30) for d in (-A_MOMENT, A_MOMENT)),
        ]
        queries = [TokenQuery(issued_after=instant) for instant in instants]
        queries += [TokenQuery(issued_before=instant) for instant in instants]
        queries += [TokenQuery(client_id="shop", status="revoked"), TokenQuery(status="expired")]
        before = [await audit.tokens.find_tokens(query, now, before=None, limit=1000) for query in queries]
        assert len({len(page.tokens) for page in before}) > 3
        await archivist.move(HALF.recorded_at)
        assert [await audit.tokens.find_tokens(query, now, before=None, limit=1000) for query in queries] == before


async def test_remaining_token_can_be_revoked_when_others_are_archived(service, archivist):
    await archivist.move(datetime(2025, 1, 1, tzinfo=UTC))
    issuer = service.issuers[0]
    assert await issuer.revocation.revoke_by_jti(ALIVE, "lost", CAUSE) == len(LOG) + 1
    assert (await archivist.verify()).sound


class TestProjections:
    @pytest.mark.parametrize("name", NAMES)
    async def test_rebuild_and_verify_match_when_archives_are_given(
        self, archivist, database, superuser, service, name
    ):
        await build(database.owner_dsn, name)  # which leaves out rows of tokens that expired long ago
        before = await rows(superuser, name)
        await archivist.move(HALF.recorded_at)
        assert (await check(database.owner_dsn, name, archives=archivist.folder)).equal
        await build(database.owner_dsn, name, archives=archivist.folder)
        assert await rows(superuser, name) == before
        assert (await check(database.owner_dsn, name, archives=archivist.folder)).equal

    @pytest.mark.parametrize("name", ["active_tokens", "token_history"])
    async def test_rebuild_and_verify_are_refused_when_archives_are_missing(self, archivist, database, superuser, name):
        before = await rows(superuser, name)
        await archivist.move(HALF.recorded_at)
        for work in (build, check):
            with pytest.raises(ArchivesRequired, match=f"up to position {UNTIL} are archived.*--archives"):
                await work(database.owner_dsn, name)
        assert await rows(superuser, name) == before

    async def test_clients_projection_needs_no_archives(self, archivist, database, superuser):
        before = await rows(superuser, "clients")
        await archivist.move(HALF.recorded_at)
        assert (await check(database.owner_dsn, "clients")).equal
        await build(database.owner_dsn, "clients")
        assert await rows(superuser, "clients") == before

    async def test_sample_needs_no_archives(self, archivist, database):
        await archivist.move(HALF.recorded_at)
        assert (await check(database.owner_dsn, "token_history", sample=20)).equal

    @pytest.mark.parametrize("with_archives", [True, False])
    async def test_verify_needs_the_archive_when_events_are_archived_meanwhile(
        self, archivist, database, monkeypatch, with_archives
    ):
        monkeypatch.setattr(builder.Throttle, "page_size", 7)
        moved = []
        real = builder.ProjectionBuilder._read_events

        async def archive_meanwhile(self, log_id, after, until, skipped):
            if after > 10 and not moved:
                moved.append(await archivist.move(HALF.recorded_at))
            return await real(self, log_id, after, until, skipped)

        monkeypatch.setattr(builder.ProjectionBuilder, "_read_events", archive_meanwhile)
        if with_archives:
            assert (await check(database.owner_dsn, "token_history", archives=archivist.folder)).equal
            assert moved
        else:
            with pytest.raises(ArchivesRequired):
                await check(database.owner_dsn, "token_history")

    async def test_replay_reads_archives(self, archivist, database, superuser):
        await archivist.move(HALF.recorded_at)
        given = {"until": 12, "schema": "then", "progress": lambda _events: lambda _more: None}
        with pytest.raises(ArchivesRequired):
            await replay_projection(database.superuser_dsn, of("token_history"), 1, **given)
        await replay_projection(database.superuser_dsn, of("token_history"), 1, archives=archivist.folder, **given)
        expected = sum(row.topic == "token.issued" and row.position <= 12 for row in LOG)
        assert await superuser.fetchval('SELECT count(*) FROM "then".token_history') == expected
        with pytest.raises(Archived):
            await replay_projection(
                database.superuser_dsn,
                of("token_history"),
                1,
                archives=archivist.folder,
                **given | {"until": LOG[4].recorded_at},
            )

    async def test_upgrade_is_refused_when_archives_are_missing(self, archivist, database, monkeypatch):
        await archivist.move(HALF.recorded_at)
        monkeypatch.setattr(TokenHistoryProjection, "version", TokenHistoryProjection.version + 1)
        with pytest.raises(BuildRefused, match="projections rebuild token_history --archives FOLDER"):
            await upgrade_projections(database.owner_dsn, holder="test", report=lambda _line: None)

    async def test_new_follower_is_refused_when_its_events_are_archived(self, archivist, service, superuser):
        await archivist.move(HALF.recorded_at)
        await superuser.execute("DELETE FROM projection_checkpoints; DELETE FROM token_history")
        log = service.log(service.issuers[0].identifier)
        follower = Follower(log, of("token_history"), service._notifications, holder="test")
        with pytest.raises(
            ArchivedPastCheckpoint,
            match=f"the log is archived up to position {UNTIL}.*rebuild token_history --archives",
        ):
            await follower.catch_up()
        assert await superuser.fetchval("SELECT count(*) FROM token_history") == 0
        assert await superuser.fetchval("SELECT lease_until FROM projection_checkpoints") is None
