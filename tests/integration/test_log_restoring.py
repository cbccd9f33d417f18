"""An import records the whole log with its positions, instants and projections, or nothing."""

import asyncio
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest

from ledger.domain.errors import InvalidExport, LogNotEmpty, OutcomeUnknown, Unavailable
from ledger.postgres import whole_log
from ledger.postgres.archive import restoration as restoring
from ledger.postgres.database import Database
from ledger.postgres.logs import Log
from ledger.postgres.whole_log import read_log_bounds
from tests.breaking_proxy import AtCommit, BreakingProxy
from tests.builders import NOW
from tests.databases import connect
from tests.integration.conftest import CAUSE, ISSUER, OTHER_ISSUER, register_client
from tests.integration.whole_logs import export, restore, rows_of, verify
from tests.sample_logs import changed, export_of, read_export, small_log

LOG = small_log()
LINES = export_of(LOG)


@pytest.fixture(params=[whole_log.PAGE, 2], ids=lambda size: f"pages of {size}")
def _pages(request, monkeypatch):
    monkeypatch.setattr(whole_log, "PAGE", request.param)
    monkeypatch.setattr(restoring, "PAGE", request.param)


@pytest.fixture
async def open_log(database):
    """Opens a log as the service's role."""
    opened: list[Database] = []

    def open_(name: str = ISSUER.log_name, dsn: str = database.owner_dsn) -> Log:
        opened.append(Database(dsn))
        return Log(opened[-1], name)

    yield open_
    for connections in opened:
        await connections.close()


@pytest.fixture
def log(open_log: Callable[..., Log]) -> Log:
    return open_log()


async def nothing_is_recorded(database) -> bool:
    rows = await rows_of(database)
    return not (rows["event_log"] or rows["active_tokens"] or rows["clients"]) and rows["log_head"] in ([], [(1, 0)])


@pytest.mark.usefixtures("_pages")
async def test_export_of_an_import_equals_the_import(log):
    await restore(log, LINES)
    assert await export(log) == LINES
    assert read_export(LINES) == LOG


@pytest.mark.usefixtures("_pages")
async def test_import_is_sound_and_has_the_projections_of_its_source(log, open_log, issuer, database):
    await register_client(issuer)
    await issuer.registry.add_generated_secret("shop", CAUSE)
    client = await issuer.registry.load("shop")
    tokens = [await issuer.issuance.issue_token(client, None, CAUSE) for _ in range(5)]
    await issuer.revocation.revoke_by_jti(UUID(tokens[2].jti), "lost", CAUSE)
    await issuer.registry.disable("shop", "test", CAUSE)
    lines = await export(log)
    copy = open_log("copy")
    await restore(copy, lines)
    assert await export(copy) == lines
    assert (await verify(copy)).sound
    rows = await rows_of(database)
    for table in ("event_log", "active_tokens", "clients"):
        of = {log_id: [row[1:] for row in rows[table] if row[0] == log_id] for log_id in (1, 2)}
        assert of[1] == of[2]
        assert of[1]
    assert len([row for row in rows["active_tokens"] if row[0] == 2]) == 4


async def test_service_appends_to_an_imported_log(log, issuer):
    await restore(log, LINES)
    enabled = await issuer.registry.enable("shop", CAUSE)
    token = await issuer.issuance.issue_token(enabled, None, CAUSE)
    assert token.position == 8
    found = await verify(log)
    assert found.head.recorded_at >= LOG[-1].recorded_at
    assert found.sound


async def test_import_notifies_followers(log, database):
    payloads: asyncio.Queue[str] = asyncio.Queue()
    async with connect(database.service_dsn) as follower:
        await follower.add_listener("token_ledger", lambda *notification: payloads.put_nowait(notification[3]))
        await restore(log, LINES)
        assert await asyncio.wait_for(payloads.get(), 60) == "1:6"


async def test_empty_export_gives_an_empty_log(log):
    await restore(log, export_of([]))
    assert (await read_log_bounds(log)).head.position == 0


async def test_export_of_the_first_part_can_be_imported(log):
    await restore(log, export_of(LOG[:4], head=6, until=4))
    assert (await read_log_bounds(log)).head.position == 4


async def test_import_succeeds_when_another_issuer_has_events(log, start_process):
    service = await start_process()
    await register_client(service.issuers[1])
    await restore(log, LINES)
    assert await export(log) == LINES
    other = service.log(OTHER_ISSUER)
    assert (await read_log_bounds(other)).head.position == 1


@pytest.mark.parametrize("imported", [True, False])
async def test_import_is_refused_when_the_log_has_events(log, issuer, database, imported):
    await (restore(log, LINES) if imported else register_client(issuer))
    before = await rows_of(database)
    with pytest.raises(LogNotEmpty, match="log 'first' is not empty"):
        await restore(log, LINES)
    assert await rows_of(database) == before


WRONG = {
    "without its end": LINES[:-1],
    "truncated between lines": LINES[:4],
    "truncated in a line": [*LINES[:4], LINES[4][:30]],
    "without its header": LINES[1:],
    "in another order": [*LINES[:2], LINES[3], LINES[2], *LINES[4:]],
    "with an altered event": [line.replace(b"192.0.2.7", b"192.0.2.8") for line in LINES],
    "with an altered end": [*LINES[:-1], LINES[-1].replace(b'"sha256":"', b'"sha256":"0')],
    "with data after the end": [*LINES, b"\n"],
    "of another format version": [LINES[0].replace(b'"version":2', b'"version":3'), *LINES[1:]],
    "not an export": [b"id,secret\n"],
    "empty": [],
    "of a part from the middle": export_of(LOG[3:4], head=6, after=3, until=4),
    "with an unknown topic": export_of(changed(LOG, 6, topic="os.system")),
    "with a payload that is not JSON": export_of(changed(LOG, 6, payload=b"not JSON")),
    "with a gap": export_of(LOG[:3] + LOG[4:]),
    "whose time goes back": export_of(changed(LOG, 6, recorded_at=NOW)),
    "with a stream that has a version twice": export_of(changed(LOG, 6, stream_version=2)),
    "with a stream that has a gap": export_of(changed(LOG, 6, stream_version=4)),
    "with a stream that starts late": export_of(changed(LOG, 4, stream_version=2)),
    "with a stream out of order": export_of(changed(changed(LOG, 3, stream_version=2), 5, stream_version=1)),
    "with a short digest": export_of(changed(LOG, 4, payload=LOG[3].payload.replace(b"A" * 43 + b"=", b"AAAA"))),
    "with a client that is disabled before it is registered": export_of(
        changed(
            changed(LOG, 1, topic=LOG[5].topic, payload=LOG[5].payload), 6, topic=LOG[0].topic, payload=LOG[0].payload
        )
    ),
}


@pytest.mark.usefixtures("_pages")
@pytest.mark.parametrize("what", WRONG)
async def test_nothing_is_imported_when_the_file_is_wrong(log, database, what):
    with pytest.raises(InvalidExport):
        await restore(log, WRONG[what])
    assert await nothing_is_recorded(database)
    await restore(log, LINES)
    assert await export(log) == LINES


async def test_error_names_line_and_position_when_a_stream_has_a_gap(log):
    with pytest.raises(InvalidExport) as refused:
        await restore(log, export_of(changed(LOG, 6, stream_version=4)))
    assert str(refused.value) == "line 7: position 6: has stream version 4 where 3 is expected"


async def test_error_quotes_no_row_when_the_database_refuses_one(log):
    with pytest.raises(InvalidExport) as refused:
        await restore(log, WRONG["with a short digest"])
    assert str(refused.value) == (
        "positions 1 to 6 cannot be recorded: "
        'new row for relation "active_tokens" violates check constraint "active_tokens_digest_check"'
    )


async def test_nothing_is_imported_when_the_connection_breaks(log, database, superuser, monkeypatch):
    monkeypatch.setattr(restoring, "PAGE", 2)

    class Breaking:
        """A projection whose second batch kills the server process of its connection."""

        name, version = "clients", 1
        topics = frozenset(row.topic for row in LOG)
        batches = 0

        async def apply(self, connection, log_id, events):
            self.batches += 1
            if self.batches == 2:
                assert await superuser.fetchval("SELECT pg_terminate_backend($1)", connection.get_server_pid())

    with pytest.raises(Unavailable) as caught:
        await restore(log, LINES, inline=[Breaking()])
    assert not isinstance(caught.value, OutcomeUnknown)
    assert await nothing_is_recorded(database)
    await restore(log, LINES)
    assert await export(log) == LINES


@pytest.mark.parametrize("at_commit", [AtCommit.LOSE_ANSWER, AtCommit.LOSE_REQUEST])
async def test_import_is_complete_or_absent_when_commit_breaks(database, open_log, at_commit):
    async with BreakingProxy(database.owner_dsn).running() as proxy:
        proxied = open_log(dsn=proxy.dsn)
        await proxied.ensure_id()
        proxy.at_commit, proxy.commit = at_commit, b"COMMIT;\x00"
        with pytest.raises(OutcomeUnknown, match="holds all events or none"):
            await restore(proxied, LINES)
    if at_commit is AtCommit.LOSE_REQUEST:
        assert await nothing_is_recorded(database)
    else:
        assert await export(open_log()) == LINES


async def test_append_waits_when_an_import_is_in_progress(log, issuer, superuser):
    await log.ensure_id()
    started, resume = asyncio.Event(), asyncio.Event()

    class Waiting:
        name, version = "clients", 1
        topics = frozenset(row.topic for row in LOG)

        async def apply(self, connection, log_id, events):
            started.set()
            await resume.wait()

    importing = asyncio.create_task(restore(log, LINES, inline=[Waiting()]))
    await started.wait()
    writing = asyncio.create_task(register_client(issuer, "later"))
    while not await superuser.fetchval(
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    ):
        assert not writing.done()
    resume.set()
    await importing
    await writing
    assert (await read_log_bounds(log)).head.position == 7


def endless() -> Iterator[bytes]:
    yield LINES[0]
    while True:
        yield LINES[1]


async def test_import_stops_reading_at_the_first_fault(log):
    with pytest.raises(InvalidExport, match="line 3: position 1"):
        await restore(log, endless())
