"""`log verify` finds what a superuser changed in a log, and no fault while the service appends."""

import asyncio

import pytest

from ledger.domain.errors import NoLog
from ledger.domain.events import ClientSettings
from ledger.domain.log_checks import LogFault
from ledger.postgres import whole_log
from ledger.postgres.database import Database
from ledger.postgres.log_statistics import count_log
from ledger.postgres.log_verification import verify_log
from ledger.postgres.logs import Log
from ledger.postgres.whole_log import read_log_bounds
from tests.databases import run_sql
from tests.integration.conftest import CAUSE, ISSUER, register_client
from tests.integration.whole_logs import ignore_progress, restore, verify
from tests.sample_logs import export_of, small_log

LOG = small_log()


@pytest.fixture(params=[whole_log.PAGE, 3, 2], ids=lambda size: f"pages of {size}")
def _pages(request, monkeypatch):
    monkeypatch.setattr(whole_log, "PAGE", request.param)


@pytest.fixture
async def log(database):
    connections = Database(database.owner_dsn)
    yield Log(connections, ISSUER.log_name)
    await connections.close()


@pytest.fixture
async def _restored(log):
    await restore(log, export_of(LOG))


@pytest.mark.usefixtures("_restored", "_pages")
async def test_verify_finds_no_fault_when_log_is_sound(log):
    found = await verify(log)
    assert (found.sound, found.events, found.findings) == (True, 6, ())
    assert (found.head.position, found.head.recorded_at) == (6, LOG[-1].recorded_at)


TAMPERED = {
    "an event is gone": ("DELETE FROM event_log WHERE position = 4", [LogFault(5, "position 4 is missing")]),
    "the first event is gone": (
        "DELETE FROM event_log WHERE position = 1",
        [LogFault(2, "position 1 is missing"), LogFault(2, "has stream version 2 where 1 is expected")],
    ),
    "the newest events are gone": (
        "DELETE FROM event_log WHERE position > 4",
        [LogFault(6, "the log ends at 4 but its head is at 6")],
    ),
    "an event is beyond the head": (
        """
        INSERT INTO event_log SELECT log_id, 9, recorded_at, gen_random_uuid(), 5, 1, topic, payload
          FROM event_log WHERE position = 3
        """,
        [LogFault(9, "is beyond the head of the log, which is at 6")],
    ),
    "the head was moved back": (
        "UPDATE log_head SET position = 5, recorded_at = (SELECT recorded_at FROM event_log WHERE position = 5)",
        [LogFault(6, "is beyond the head of the log, which is at 5")],
    ),
    "the head has another instant": (
        "UPDATE log_head SET recorded_at = '2024-05-06 08:00+00'",
        [
            LogFault(
                6,
                "the newest event was recorded at 2024-05-06 07:08:12.000001+00:00 "
                "but the head has 2024-05-06 08:00:00+00:00",
            )
        ],
    ),
    "an event was dated back": (
        "UPDATE event_log SET recorded_at = '2024-01-01 00:00+00' WHERE position = 4",
        [
            LogFault(
                4, "recorded at 2024-01-01 00:00:00+00:00, before its predecessor (2024-05-06 07:08:10.000001+00:00)"
            )
        ],
    ),
    "a stream has a gap": (
        "UPDATE event_log SET stream_version = 4 WHERE position = 6",
        [LogFault(6, "has stream version 4 where 3 is expected")],
    ),
    "a stream starts late": (
        "UPDATE event_log SET stream_version = stream_version + 5 WHERE position IN (3, 5)",
        [LogFault(3, "has stream version 6 where 1 is expected")],
    ),
    "an event was moved into another stream": (
        """
        UPDATE event_log SET stream_id = (SELECT stream_id FROM event_log WHERE position = 1), stream_version = 4
         WHERE position = 5
        """,
        [LogFault(5, "stream version 4 is before version 3, which is at 6")],
    ),
    "a stream is in the wrong order": (
        """
        UPDATE event_log SET stream_version = 9 WHERE position = 3;
        UPDATE event_log SET stream_version = 1 WHERE position = 5;
        UPDATE event_log SET stream_version = 2 WHERE position = 3
        """,
        [LogFault(3, "stream version 2 is before version 1, which is at 5")],
    ),
    "a topic is unknown": (
        "UPDATE event_log SET topic = 'os.system' WHERE position = 2",
        [LogFault(2, "The topic 'os.system' is not known to this version of the service.")],
    ),
    "a schema version is of the future": (
        "UPDATE event_log SET schema_version = 7 WHERE position = 2",
        [
            LogFault(
                2,
                "A 'client.secret_added' event has schema version 7; this version of the service reads up to 1. "
                "Run the newer release that wrote it.",
            )
        ],
    ),
    "a payload is not canonical": (
        r"UPDATE event_log SET payload = payload || '\x20' WHERE position = 2",
        [LogFault(2, "the payload of this 'client.secret_added' event is not canonical")],
    ),
}


@pytest.mark.usefixtures("_restored", "_pages")
@pytest.mark.parametrize("what", TAMPERED)
async def test_verify_finds_exactly_the_faults_of_tampering(log, database, what):
    statements, expected = TAMPERED[what]
    await run_sql(database.superuser_dsn, statements)
    found = await verify(log)
    assert not found.sound
    assert sorted(found.findings, key=repr) == sorted(expected, key=repr)
    assert found.count == len(expected)


@pytest.mark.usefixtures("_restored")
async def test_verify_finds_a_payload_that_is_not_an_event(log, database):
    await run_sql(database.superuser_dsn, "UPDATE event_log SET payload = 'not JSON' WHERE position = 3")
    (finding,) = (await verify(log)).findings
    assert finding.position == 3
    assert "cannot be read" in finding.what


@pytest.mark.usefixtures("_restored")
async def test_verify_counts_all_faults_and_keeps_the_first(log, database):
    await run_sql(database.superuser_dsn, "UPDATE event_log SET payload = 'not JSON'")
    found = await verify(log, limit=2)
    assert ([f.position for f in found.findings], found.count) == ([1, 2], 6)


@pytest.mark.usefixtures("_restored", "_pages")
async def test_verify_reports_progress_twice_per_event(log):
    counts = []
    await verify(log, progress=counts.append)
    assert sum(counts) == 12


async def test_verify_is_refused_when_there_is_no_log(log):
    with pytest.raises(NoLog, match="there is no log 'first'"):
        await read_log_bounds(log)


async def test_verify_finds_no_fault_when_log_is_empty(log):
    await log.ensure_id()
    assert (await verify(log)).sound


@pytest.mark.usefixtures("_restored")
async def test_verify_ignores_other_logs(log, database, start_process):
    service = await start_process()
    await register_client(service.issuers[1])
    await run_sql(database.superuser_dsn, "UPDATE event_log SET payload = '' WHERE log_id <> 1")
    assert (await verify(log)).sound


async def test_verify_finds_no_fault_when_events_are_appended_meanwhile(log, issuer, client, monkeypatch):
    monkeypatch.setattr(whole_log, "PAGE", 20)

    async def issue(count: int) -> None:
        for _ in range(count):
            await issuer.issuance.issue_token(client, None, CAUSE)

    await issue(50)
    bounds = await read_log_bounds(log)
    # While pages are read, more is recorded: also new versions of streams that were read, or are to be.
    appended = 0

    def record_more(_events: int) -> None:
        nonlocal appended
        appended += 1
        tasks.append(asyncio.ensure_future(issuer.registry.update("shop", settings_number(appended), CAUSE)))
        tasks.append(asyncio.ensure_future(issue(3)))

    tasks: list[asyncio.Future] = []
    found = await verify_log(log, bounds, limit=20, progress=record_more)
    await asyncio.gather(*tasks)
    assert (found.sound, found.events) == (True, bounds.head.position)
    later = await read_log_bounds(log)
    assert later.head.position >= bounds.head.position + 4 * appended
    assert (await verify(log)).sound


def settings_number(number: int) -> ClientSettings:
    return ClientSettings(
        name=f"Shop {number}", grant_types=("client_credentials",), introspection="issuer", access_token_lifetime=60
    )


@pytest.mark.usefixtures("_restored")
async def test_statistics_count_events_streams_and_bytes(log):
    numbers = await count_log(log, await read_log_bounds(log), ignore_progress)
    assert (numbers.events, numbers.streams) == (6, 3)
    assert numbers.topics == {
        "client.registered": 1,
        "client.secret_added": 1,
        "client.disabled": 1,
        "token.issued": 2,
        "token.revoked": 1,
    }
    assert (numbers.first, numbers.last) == (LOG[0].recorded_at, LOG[-1].recorded_at)
    assert numbers.days == {LOG[0].recorded_at.date(): 6}
    assert numbers.payload_bytes == sum(len(row.payload) for row in LOG)
    assert numbers.table_bytes > 0
    assert numbers.index_bytes > 0


async def test_statistics_are_zero_when_log_is_empty(log):
    await log.ensure_id()
    numbers = await count_log(log, await read_log_bounds(log), ignore_progress)
    assert (numbers.events, numbers.first, numbers.days) == (0, None, {})
