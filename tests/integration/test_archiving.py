"""`log archive` moves closed, old history to files and loses nothing when it is interrupted."""

import gzip
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from api.operations import archive_log
from api.operations.archive_log import ArchiveFileDiffers, ArchiveFileMissing
from ledger.domain.errors import Archived, NotArchivable, Unavailable
from ledger.domain.log_checks import LogFault
from ledger.postgres import whole_log
from ledger.postgres.archive import removal
from ledger.postgres.database import Database
from ledger.postgres.logs import Log
from ledger.postgres.whole_log import read_log_bounds
from tests.databases import run_sql
from tests.integration.conftest import CAUSE, ISSUER
from tests.integration.whole_logs import Archivist, restore
from tests.sample_logs import EXPIRES, REVOKED, REVOKED_LATER, STAYS_ACTIVE, changed, export_of, old_log, stream

TOKENS = 40
LOG = old_log(TOKENS)
EXPORT = export_of(LOG)
HALF = LOG[len(LOG) // 2]
LATER = datetime(2025, 1, 1, tzinfo=UTC)
POSITIONS = "SELECT array_agg(position ORDER BY position) FROM event_log WHERE log_id = 1"
STREAMS = "SELECT array_agg(DISTINCT stream_id) FROM event_log WHERE log_id = 1 AND topic = 'token.issued'"


@pytest.fixture(params=[whole_log.PAGE, 7], ids=lambda size: f"pages of {size}")
def _pages(request, monkeypatch):
    monkeypatch.setattr(whole_log, "PAGE", request.param)
    monkeypatch.setattr(removal, "STREAMS", min(request.param, removal.STREAMS))
    monkeypatch.setattr(removal, "REST", 0)


@pytest.fixture
async def archivist(database, tmp_path, start_process):
    """Archives the old log, which all projections have read."""
    owner = Database(database.owner_dsn, pool_size=3)
    service = await start_process()
    await restore(Log(owner, ISSUER.log_name), EXPORT)
    await service.catch_up()
    yield Archivist(owner, tmp_path)
    await owner.close()


@pytest.mark.usefixtures("_pages")
async def test_export_is_the_same_before_and_after_archiving(archivist):
    await archivist.move(LATER)
    assert (await archivist.export())[1:-1] == EXPORT[1:-1]


@pytest.mark.usefixtures("_pages")
async def test_archiving_removes_closed_grants_only(archivist, superuser):
    moved = await archivist.move(LATER)
    living = {stream(1 + number) for number in range(TOKENS) if number % 4 == STAYS_ACTIVE}
    assert set(await superuser.fetchval(STREAMS)) == living
    left = [row.position for row in LOG if row.topic.startswith("client.") or row.stream_id in living]
    assert await superuser.fetchval(POSITIONS) == left
    assert moved.events_removed == len(LOG) - len(left)


@pytest.mark.usefixtures("_pages")
async def test_grant_stays_whole_when_it_has_a_later_event(archivist, superuser):
    await archivist.move(HALF.recorded_at)
    archived_until = HALF.position - 1
    later = {row.stream_id for row in LOG if row.position > archived_until}
    left = set(await superuser.fetchval(STREAMS))
    assert {row.stream_id for row in LOG if row.topic == "token.revoked"} & later <= left
    assert (await archivist.verify()).sound


@pytest.mark.usefixtures("_pages")
async def test_second_archive_continues_the_first_and_removes_later_closed(archivist, superuser):
    first = (await archivist.move(HALF.recorded_at)).archive
    second = (await archivist.move(LATER)).archive
    assert (first.first, first.last, second.first, second.last) == (1, HALF.position - 1, HALF.position, len(LOG))
    living = {stream(1 + number) for number in range(TOKENS) if number % 4 == STAYS_ACTIVE}
    assert set(await superuser.fetchval(STREAMS)) == living
    assert (await archivist.export())[1:-1] == EXPORT[1:-1]
    found = await archivist.verify()
    assert (found.sound, found.events) == (True, len(LOG) + len(await superuser.fetchval(POSITIONS)))


async def test_archiving_again_does_nothing_when_all_is_archived(archivist, superuser):
    await archivist.move(LATER)
    before = await superuser.fetch("SELECT * FROM log_archives")
    again = await archivist.move(LATER)
    assert (again.archive, again.events_removed) == (None, 0)
    assert (await archivist.move(HALF.recorded_at)).archive is None
    assert await superuser.fetch("SELECT * FROM log_archives") == before


async def test_archiving_is_refused_when_events_are_under_an_hour_old(archivist):
    with pytest.raises(NotArchivable, match="older than an hour"):
        await archivist.move(datetime.now(UTC) - timedelta(minutes=59))


async def test_archiving_is_refused_when_a_projection_lags(archivist, superuser, tmp_path):
    await superuser.execute("UPDATE projection_checkpoints SET position = 7")
    with pytest.raises(NotArchivable, match="token_history is at 7"):
        await archivist.move(LATER)
    await superuser.execute("DELETE FROM projection_checkpoints")
    with pytest.raises(NotArchivable, match="token_history is at 0"):
        await archivist.move(LATER)
    assert list(tmp_path.iterdir()) == []


async def test_archiving_is_refused_when_a_follower_starts_meanwhile(archivist, superuser, monkeypatch):
    record_archive = archive_log.record_archive

    async def late(*args, **more):
        await superuser.execute(
            "INSERT INTO projection_checkpoints (log_id, projection, version, position, updated_at, lease_token) "
            "VALUES (1, 'new', 1, 0, now(), 0)"
        )
        return await record_archive(*args, **more)

    monkeypatch.setattr(archive_log, "record_archive", late)
    with pytest.raises(NotArchivable, match="new is at 0"):
        await archivist.move(LATER)
    assert len(await superuser.fetchval(POSITIONS)) == len(LOG)


async def test_skipped_tokens_stay_in_the_log(archivist, superuser):
    kept = next(row for row in LOG if row.topic == "token.issued")
    await superuser.execute(
        "INSERT INTO projection_skips VALUES (1, 'token_history', $1, 'token.issued', '', 'why', 'operator:a', now())",
        kept.position,
    )
    await archivist.move(LATER)
    assert kept.stream_id in await superuser.fetchval(STREAMS)


async def test_archiving_is_refused_when_the_log_is_unsound(archivist, database, superuser, tmp_path):
    await run_sql(database.superuser_dsn, "UPDATE event_log SET payload = payload || ' ' WHERE position = 3")
    with pytest.raises(NotArchivable, match="position 3: the payload"):
        await archivist.move(LATER)
    assert list(tmp_path.iterdir()) == []


async def test_archiving_is_refused_when_role_is_the_service(database, archivist):
    service = Database(database.service_dsn)
    with pytest.raises(NotArchivable, match="--owner-dsn"):
        await Archivist(service, archivist.path).move(LATER)
    await service.close()


async def test_archiving_is_refused_when_another_process_archives(archivist):
    async def archive_meanwhile(*_args, **_more):
        with pytest.raises(NotArchivable, match="another process"):
            await archivist.move(LATER)
        raise Unavailable("gone")  # noqa: EM101

    with broken_at("choose_next_range", archive_meanwhile):
        await archivist.move(LATER)


async def test_archiving_lock_is_released_at_the_end(archivist, database):
    await archivist.move(HALF.recorded_at)
    other = Database(database.owner_dsn, pool_size=3)
    assert (await Archivist(other, archivist.path).move(LATER)).archive is not None
    await other.close()


@contextmanager
def broken_at(stage: str, replacement=None):
    """Makes a stage of archiving fail, as if the database went away."""

    def fail(*_args, **_more):
        raise Unavailable("gone")  # noqa: EM101

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive_log, stage, replacement or fail)
        with pytest.raises(Unavailable, match="gone"):
            yield


STAGES = ["check_log_is_sound", "open_export_to_write", "compare_with_log", "record_archive", "remove_archived_streams"]


@pytest.mark.parametrize("stage", STAGES)
async def test_next_run_completes_when_interrupted_at_any_stage(archivist, superuser, stage):
    with broken_at(stage):
        await archivist.move(LATER)
    assert len(await superuser.fetchval(POSITIONS)) == len(LOG)
    assert (await archivist.export())[1:-1] == EXPORT[1:-1]
    moved = await archivist.move(LATER)
    assert moved.events_removed > 0
    assert (moved.archive is None) == (stage == "remove_archived_streams")
    assert len(moved.finished) == (1 if stage == "remove_archived_streams" else 0)
    assert (await archivist.export())[1:-1] == EXPORT[1:-1]
    assert (await archivist.verify()).sound


async def test_next_run_completes_when_interrupted_during_removal(archivist, superuser, monkeypatch):
    async def broken(_seconds):
        raise Unavailable("gone")  # noqa: EM101

    monkeypatch.setattr(removal, "STREAMS", 7)
    remove = archive_log.remove_archived_streams

    async def part_of(*args):
        return await remove(*args, sleep=broken)

    with broken_at("remove_archived_streams", part_of):
        await archivist.move(LATER)
    left = len(await superuser.fetchval(POSITIONS))
    assert left < len(LOG)
    assert (await archivist.verify()).sound
    assert (await archivist.verify(with_archives=False)).sound
    assert (await archivist.export())[1:-1] == EXPORT[1:-1]
    assert (await archivist.move(LATER)).events_removed > 0
    assert (await archivist.export())[1:-1] == EXPORT[1:-1]


async def test_removal_is_refused_when_the_file_is_missing_or_altered(archivist, superuser, tmp_path):
    with broken_at("remove_archived_streams"):
        await archivist.move(LATER)
    (file,) = tmp_path.iterdir()
    kept = file.read_bytes()
    file.write_bytes(kept[:-1])
    with pytest.raises(ArchiveFileMissing, match="is not the archived file"):
        await archivist.move(LATER)
    file.unlink()
    with pytest.raises(ArchiveFileMissing, match="cannot be read"):
        await archivist.move(LATER)
    assert len(await superuser.fetchval(POSITIONS)) == len(LOG)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        gzip.compress(b"".join(EXPORT)),
        gzip.compress(b"".join(export_of(changed(LOG, 5, actor="operator:eve"))))[:-9],
    ],
    ids=["empty", "of the whole log", "cut off"],
)
async def test_archiving_is_refused_when_the_name_is_taken(archivist, superuser, tmp_path, content):
    file = tmp_path / f"first.000000000001-{HALF.position - 1:012}.ndjson.gz"
    file.write_bytes(content)
    with pytest.raises(ArchiveFileDiffers, match=r"Nothing was removed\. Move that file away"):
        await archivist.move(HALF.recorded_at)
    assert file.read_bytes() == content
    assert len(await superuser.fetchval(POSITIONS)) == len(LOG)


async def test_archiving_is_refused_when_an_existing_file_differs(archivist, tmp_path):
    until = HALF.position - 1
    lines = export_of(changed(LOG, 5, actor="operator:eve")[:until], head=len(LOG), until=until)
    (tmp_path / f"first.000000000001-{until:012}.ndjson.gz").write_bytes(gzip.compress(b"".join(lines)))
    with pytest.raises(ArchiveFileDiffers, match="position 5 differs from the log"):
        await archivist.move(HALF.recorded_at)


async def test_nothing_is_removed_when_the_written_file_differs(archivist, superuser, monkeypatch):
    real = archive_log.read_remaining_pages

    async def forgetful(*args):
        async for page in real(*args):
            yield page[:-1]

    monkeypatch.setattr(archive_log, "read_remaining_pages", forgetful)
    with pytest.raises(ArchiveFileDiffers, match="Nothing was removed"):
        await archivist.move(LATER)
    assert len(await superuser.fetchval(POSITIONS)) == len(LOG)
    assert await superuser.fetchval("SELECT count(*) FROM log_archives") == 0


async def test_grant_is_not_removed_when_it_grows_before_the_removal(archivist, superuser, monkeypatch):
    """A process whose clock is hours slow revokes an expired token between the check and the removal."""
    victim = stream(1 + EXPIRES)
    await superuser.execute(
        "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "INSERT INTO event_log SELECT log_id, 1000, recorded_at, stream_id, 2, 1, 'token.revoked', payload "
        "FROM event_log WHERE stream_version = 1 AND stream_id = '00000000-0000-0000-0000-000000000001' "
        "AND NOT EXISTS (SELECT FROM event_log WHERE position = 1000); RETURN NEW; END $$;"
        "CREATE TRIGGER late AFTER INSERT ON log_archives FOR EACH ROW EXECUTE FUNCTION late()"
    )
    monkeypatch.setattr(removal, "find_closed_grants", lambda rows, *_a, **_m: sorted({row.stream_id for row in rows}))
    await archivist.move(LATER)
    assert victim in await superuser.fetchval(STREAMS)


class TestWithoutTheArchives:
    async def test_verify_checks_the_remaining_log(self, archivist, superuser):
        await archivist.move(HALF.recorded_at)
        found = await archivist.verify(with_archives=False)
        assert (found.sound, found.archived) == (True, HALF.position - 1)
        assert found.events == len(await superuser.fetchval(POSITIONS))

    async def test_export_from_the_start_is_refused(self, archivist):
        await archivist.move(HALF.recorded_at)
        with pytest.raises(Archived, match=f"start after position {HALF.position - 1}"):
            await archivist.export(with_archives=False)
        lines = await archivist.export(HALF.position - 1, with_archives=False)
        assert lines[1:-1] == EXPORT[HALF.position : -1]

    async def test_export_fails_when_events_are_archived_meanwhile(self, archivist):
        bounds = await read_log_bounds(archivist.log)
        pages = whole_log.read_event_pages(archivist.log, bounds, 0, len(LOG))
        await archivist.move(LATER)
        with pytest.raises(Unavailable, match="while it was read: run this again"):
            [page async for page in pages]


TAMPERED = {
    "a kept event is another": (
        "UPDATE event_log SET actor = 'operator:eve' WHERE position = 1",
        [LogFault(1, "differs from archive {file}")],
    ),
    "an event of a client is gone": (
        "DELETE FROM event_log WHERE position = 1",
        [
            LogFault(1, "is missing from the log, and an event of 'client.registered' is never removed"),
            LogFault(15, "has stream version 2 where 1 is expected"),
        ],
    ),
    "the first kept event that is not archived is gone": (
        f"DELETE FROM event_log WHERE position = {HALF.position}",  # noqa: S608 (a number)
        [LogFault(HALF.position + 1, f"position {HALF.position} is missing")],
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
async def test_verify_finds_tampering(archivist, database, what):
    archive = (await archivist.move(HALF.recorded_at)).archive
    statement, expected = TAMPERED[what]
    await run_sql(database.superuser_dsn, statement)
    found = await archivist.verify()
    said = [LogFault(f.position, f.what.format(file=archive.file_name)) for f in expected]
    assert [f for f in said if f not in found.findings] == []


async def test_verify_finds_a_missing_or_altered_archive(archivist, tmp_path):
    first = (await archivist.move(HALF.recorded_at)).archive
    await archivist.move(LATER)
    file = tmp_path / first.file_name
    data = file.read_bytes()
    file.write_bytes(data + b"x")
    (finding,) = [f for f in (await archivist.verify()).findings if f.position == 1]
    assert "is not the archived file" in finding.what
    file.unlink()
    (finding,) = [f for f in (await archivist.verify()).findings if f.position == 1]
    assert "cannot be read" in finding.what


async def test_verify_compares_recorded_checksums_with_the_files(archivist, database):
    await archivist.move(HALF.recorded_at)
    await archivist.move(LATER)
    await run_sql(
        database.superuser_dsn, "UPDATE log_archives SET running_sha256 = repeat('0', 64) WHERE first_position = 1"
    )
    found = await archivist.verify()
    assert {f.position for f in found.findings} == {1, HALF.position}
    assert all("running checksum" in f.what or "checksums" in f.what or "continue" in f.what for f in found.findings)


async def test_log_accepts_events_after_archiving(archivist, start_process):
    issuer = (await start_process()).issuers[0]
    await archivist.move(LATER)
    await issuer.registry.disable("shop", "closed", CAUSE)
    await issuer.registry.enable("shop", CAUSE)
    assert await issuer.revocation.revoke_by_jti(stream(1 + STAYS_ACTIVE), "lost", CAUSE) == len(LOG) + 3
    assert (await archivist.verify()).sound
    assert len(await archivist.export()) == len(EXPORT) + 3


def test_old_log_contains_every_fate():
    assert {EXPIRES, REVOKED, STAYS_ACTIVE, REVOKED_LATER} == {number % 4 for number in range(TOKENS)}
