"""EXPLAIN shows that each hot statement uses its index, on empty and on filled tables."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from importlib.resources import files
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from ledger.postgres.archive.catalogue import SQL as ARCHIVES
from ledger.postgres.database import SESSION
from ledger.postgres.event_log import SQL as LOG
from ledger.postgres.whole_log import SQL as WHOLE_LOG
from projections.active_tokens import SQL as ACTIVE_TOKENS
from projections.audit.activity import SQL as ACTIVITY
from projections.audit.events import SQL as EVENTS
from projections.clients import SQL as CLIENTS
from projections.expiry_sweep import SQL as SWEEP
from projections.following.lease import SQL as CHECKPOINTS
from projections.following.skips import SQL as SKIPS
from projections.following.status import SQL as STATUS
from projections.lookups import SQL as VIEWS
from projections.token_history import SQL as HISTORY
from projections.view_check import SQL as VIEW_CHECK
from tests.builders import NOW
from tests.databases import connect, run_sql

FILL = """
INSERT INTO event_log
SELECT l, n, now(), gen_random_uuid(), 1, 1, 'token.issued', '{}'
  FROM generate_series(1, 20000) n, (VALUES (1), (2)) v (l);
INSERT INTO log_head VALUES (1, 20000, now()), (2, 20000, now());
INSERT INTO active_tokens
SELECT 1, sha256(n::text::bytea), gen_random_uuid(), 'c', 'c', '', '{c}', 1, 2 FROM generate_series(1, 20000) n;
INSERT INTO clients SELECT 1, 'client-' || n, 1, '{}' FROM generate_series(1, 2000) n;
INSERT INTO token_history (log_id, issued_position, jti, grant_id, digest, client_id, subject, scope, audience,
                           grant_type, token_format, issued_at, expires_at, issued_recorded_at, revoked_position)
SELECT l, n, gen_random_uuid(), gen_random_uuid(), sha256(n::text::bytea), 'client-' || n % 20, 's-' || n % 3,
       CASE n % 4 WHEN 0 THEN 'read' ELSE 'read write' END, 'api', 'client_credentials', 'opaque', now(), now(),
       now(), CASE n % 10 WHEN 0 THEN n + 1 END
  FROM generate_series(1, 20000) n, (VALUES (1), (2)) v (l);
INSERT INTO event_index
SELECT l, n, CASE n % 20 WHEN 0 THEN 'token.revoked' ELSE 'token.issued' END, 'client:' || n % 20
  FROM generate_series(1, 20000) n, (VALUES (1), (2)) v (l);
INSERT INTO token_activity
SELECT 1, u, n * u, 'client-' || n % 20, 1, 0, 1 FROM generate_series(1, 5000) n, (VALUES (60), (3600), (86400)) v (u);
INSERT INTO projection_checkpoints (log_id, projection, version, position, updated_at, lease_token)
SELECT n, 'token_history', 1, 0, now(), 1 FROM generate_series(1, 500) n;
"""


@pytest.fixture
async def connection(database) -> AsyncIterator[asyncpg.Connection]:
    async with connect(database.service_dsn, server_settings=SESSION) as connection:
        yield connection


@pytest.fixture(params=["empty", "filled", "never analysed"])
async def filled(request, database, connection) -> None:
    if request.param == "empty":
        return
    await run_sql(database.owner_dsn, FILL)
    if request.param == "filled":
        await run_sql(database.owner_dsn, "ANALYZE")


@pytest.fixture
async def filled_once(database) -> None:
    """Filled and not analyzed."""
    await run_sql(database.owner_dsn, FILL)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


async def plan_of(connection: asyncpg.Connection, statement: str, *arguments: object) -> list[dict[str, Any]]:
    text = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {statement.rstrip(';')}", *arguments)
    return list(nodes(json.loads(text)[0]["Plan"]))


def tables_read(plan: list[dict[str, Any]]) -> dict[str, set[str]]:
    """The node types that read each table."""
    reads: dict[str, set[str]] = {}
    for node in plan:
        if "Relation Name" in node and "Scan" in node["Node Type"]:
            reads.setdefault(node["Relation Name"], set()).add(node["Node Type"])
    return reads


STREAM, REVOKED = uuid4(), uuid4()
KEYED = {"Index Scan", "Index Only Scan", "Bitmap Heap Scan"}


HOT = {
    "introspection": (
        VIEWS["find_tokens_and_clients"],
        (1, [b"x" * 32, b"y" * 32], ["a", "b"]),
        {"active_tokens", "clients"},
    ),
    "tokens alone": (ACTIVE_TOKENS["find"], (1, [b"x" * 32, b"y" * 32]), {"active_tokens"}),
    "client authentication": (CLIENTS["find"], (1, ["a", "b"]), {"clients"}),
    "revoke: load the grants": (LOG["read_streams"], (1, [STREAM]), {"event_log"}),
    "compare: a page of tokens": (VIEW_CHECK["active_tokens_page"], (1, b"x", 200), {"active_tokens"}),
    "compare: a page of clients": (VIEW_CHECK["clients_page"], (1, "a", 200), {"clients"}),
    "compare: the log": (VIEW_CHECK["streams_page"], (1, 100, 300), {"event_log"}),
    "compare: streams": (VIEW_CHECK["streams"], (1, [STREAM], ["token.issued"]), {"event_log"}),
    "compare: tokens": (VIEW_CHECK["active_tokens"], (1, [b"x" * 32]), {"active_tokens"}),
    "compare: clients": (VIEW_CHECK["clients"], (1, ["a"]), {"clients"}),
    "compare: history": (VIEW_CHECK["token_history"], (1, 100, 300), {"token_history"}),
    "follow the log": (LOG["read_log"], (1, 100, 200, 50), {"event_log"}),
    "follow: what is skipped": (SKIPS["positions"], (1, "token_history", 100, 600), {"projection_skips"}),
    "how projections are": (
        STATUS["status"],
        (1, ["token_history"]),
        {
            "log_head",
            "projection_checkpoints",
            "projection_versions",
            "event_log",
            "projection_builds",
            "projection_build_positions",
        },
    ),
    "follow some topics": (LOG["read_log_topics"], (1, 100, 200, 50, ["token.issued"]), {"event_log"}),
    "as of an instant": (LOG["position_at"], (1, NOW), {"log_head", "event_log", "log_archives"}),
    "as of a position": (LOG["recorded_at"], (1, 7), {"event_log", "log_archives"}),
    "what is archived": (ARCHIVES["archived_until"], (1,), {"log_archives"}),
    "archive: grants to remove": (ARCHIVES["page_of_grants"], (1, 100, 20000, 200), {"event_log"}),
    "archive: their streams": (ARCHIVES["streams"], (1, [STREAM]), {"event_log"}),
    "end of a log": (WHOLE_LOG["head_and_newest"], (1,), {"event_log", "log_head"}),
    "count a page of a log": (WHOLE_LOG["page_to_count"], (1, 100, 5000), {"event_log"}),
    "checkpoint": (CHECKPOINTS["read"], (1, "token_history"), {"projection_checkpoints"}),
    "follow: hold": (CHECKPOINTS["lock"], (1, "token_history", 1), {"projection_checkpoints"}),
    "follow: revoke": (
        HISTORY["revoke"],
        (1, [b"x" * 32], [5], [NOW], [NOW], ["a"], ["r"], ["h"], ["why"]),
        {"token_history"},
    ),
    "audit: lookup": (HISTORY["find_digest"], (1, b"x" * 32), {"token_history"}),
    "audit: a token that is archived": (HISTORY["find_token"], (1, STREAM), {"token_history"}),
    "audit: when archived tokens were issued": (HISTORY["issued_until"], (1, NOW, 20000), {"token_history"}),
    "audit: page of tokens": (
        HISTORY["page"],
        (1, 100, 20000, 1, 20000, NOW, "client", "client-3", None, "read", "active"),
        {"token_history"},
    ),
    "audit: events of an actor": (
        EVENTS["of_actor"],
        (1, 100, 200, 50, "client:3", ["token.issued", "token.revoked"]),
        {"event_log", "event_index"},
    ),
    "audit: events of some topics": (
        EVENTS["of_topics"],
        (1, 100, 200, 50, ["token.revoked"]),
        {"event_log", "event_index"},
    ),
    "audit: events of a client": (
        EVENTS["of_client"],
        (1, 100, 200, 50, "client-3", STREAM, ["token.issued"]),
        {"event_log", "token_history"},
    ),
    "audit: events of a subject": (
        EVENTS["of_subject"],
        (1, 100, 200, 50, "s-1", "client-3", ["token.issued"]),
        {"event_log", "token_history"},
    ),
    "audit: activity": (ACTIVITY["buckets"], (1, 60, 60, 6000, None), {"token_activity"}),
    "audit: active tokens": (ACTIVITY["active_at"], (1, 6000, None), {"token_activity"}),
    "audit: activity of clients": (ACTIVITY["clients"], (1, 60, 60, 6000, None, 10), {"token_activity"}),
}


def check_read_by_index(name: str, plan: list[dict[str, Any]], tables: set[str]) -> None:
    reads = tables_read(plan)
    assert set(reads) == tables, name
    for table, how in reads.items():
        assert how <= KEYED, f"{name}: {table} is read by {how}"


async def test_hot_statements_read_by_index(filled, connection):
    for name, (statement, arguments, tables) in HOT.items():
        check_read_by_index(name, await plan_of(connection, statement, *arguments), tables)


async def test_hot_statements_read_by_index_when_plans_are_generic(filled, connection):
    """A prepared statement switches to such a plan after some executions, and keeps it while tables grow."""
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    for name, (statement, arguments, tables) in HOT.items():
        await connection.execute(f"PREPARE guard AS {statement}")
        nulls = ", ".join(["NULL"] * len(arguments))
        check_read_by_index(name, await plan_of(connection, f"EXECUTE guard ({nulls})"), tables)
        await connection.execute("DEALLOCATE guard")


async def test_sweep_reads_only_the_pages_of_its_step(filled, database):
    """The statement of the function, with values for its variables."""
    function = files("migrations.functions").joinpath("sweep_expired_tokens.sql").read_text()
    (delete,) = re.findall(r"DELETE FROM .*?;", function, re.DOTALL)
    for variable, value in {"v_first": "32", "p_pages": "32", "v_started": "now()", "p_grace": "0"}.items():
        delete = delete.replace(variable, value)
    async with connect(database.owner_dsn, server_settings=SESSION) as owner:
        assert tables_read(await plan_of(owner, delete)) == {"active_tokens": {"Tid Range Scan"}}
        for name in ("read_due", "read_lag"):
            assert tables_read(await plan_of(owner, SWEEP[name])) == {"expiry_sweep": {"Index Scan"}}, name


async def test_plan_shows_a_sequential_scan_when_there_is_no_index(filled, connection):
    plan = await plan_of(connection, "SELECT 1 FROM active_tokens WHERE subject = $1", "a")
    assert tables_read(plan) == {"active_tokens": {"Seq Scan"}}


WHOLE = {
    "verify: a page": (WHOLE_LOG["page_to_check"], (1, 100, 20000, 5000), "event_log_pkey"),
    "verify: a page of streams": (
        WHOLE_LOG["page_of_streams"],
        (1, UUID(int=0), 0, 20000, 5000),
        "event_log_log_id_stream_id_stream_version_key",
    ),
    "export: a page": (LOG["read_log"], (1, 100, 20000, 5000), "event_log_pkey"),
}


@pytest.mark.parametrize("plans", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("analyzed", [True, False])
async def test_log_pages_are_read_in_index_order(database, connection, filled_once, plans, analyzed):
    """Also on a table that was not analyzed yet, as after an import. A page costs one page, not the rest of the log."""
    if analyzed:
        await run_sql(database.owner_dsn, "ANALYZE")
    await connection.execute(f"SET plan_cache_mode = {plans}")
    for name, (statement, arguments, index) in WHOLE.items():
        await connection.execute(f"PREPARE guard AS {statement}")
        given = ", ".join(repr(str(a)) if isinstance(a, UUID) else str(a) for a in arguments)
        plan = await plan_of(connection, f"EXECUTE guard ({given})")
        await connection.execute("DEALLOCATE guard")
        assert {node["Index Name"] for node in plan if "Index Name" in node} == {index}, name
        assert not [node for node in plan if "Sort" in node["Node Type"]], name
        assert tables_read(plan)["event_log"] <= {"Index Scan", "Index Only Scan"}, name


async def test_joined_rows_are_read_by_primary_key(filled_once, connection):
    """Other filters use no other index, which would read all rows of a client, for example."""
    events_of = ("events of an actor", "events of some topics", "events of a client", "events of a subject")
    for name in ("page of tokens", *events_of):
        statement, arguments, _ = HOT[f"audit: {name}"]
        plan = await plan_of(connection, statement, *arguments)
        found = [node["Index Name"] for node in plan if "= c." in node.get("Index Cond", "")]
        assert found in (["event_log_pkey"], ["token_history_pkey"]), name


async def test_comparison_finds_streams_by_their_index(filled, connection):
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    await connection.execute(f"PREPARE guard AS {VIEW_CHECK['streams']}")
    indexes = {node.get("Index Name") for node in await plan_of(connection, "EXECUTE guard (NULL, NULL, NULL)")}
    assert indexes - {None} == {"event_log_log_id_stream_id_stream_version_key"}
