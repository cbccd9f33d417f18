"""How the status of projections is printed."""

import asyncio
import json
from unittest.mock import AsyncMock

import pytest

from api.cli.projections import views as projection_views
from api.cli.projections.views import format_duration, print_statuses, watch_statuses
from ledger.domain.errors import Unavailable
from tests.statuses import AT, BUILD, SKIP, status, stopped

CANCELLED = asyncio.CancelledError()


def shown(capsys, *statuses, **options):
    """Return what is printed, and whether a projection is stalled."""

    needed = asyncio.run(print_statuses(AsyncMock(return_value=statuses), 0.0, **{"json": False} | options))
    return capsys.readouterr().out, needed


def test_projection_is_one_row(capsys):
    out, needed = shown(capsys, status(head=12_042, position=12_040))
    heading, line = (row.split() for row in out.splitlines())
    assert heading[:5] == ["LOG", "PROJECTION", "VERSION", "MODE", "STATE"]
    assert " ".join(line) == "main token_history 1 catch-up live 12,040 12,042 2 0.2 s - host:7"
    assert not needed


def test_version_is_a_dash_when_never_followed(capsys):
    out, _ = shown(capsys, status(version=None, holder=None, state="not followed"))
    assert out.splitlines()[1].split()[2] == "-"
    assert "not followed" in out


def test_inline_projection_has_every_writer_as_holder(capsys):
    assert "every writer" in shown(capsys, status(mode="inline", holder=None))[0]


def test_remark_explains_a_stopped_projection(capsys):
    out, needed = shown(capsys, status(), stopped())
    assert "token_history of log 'main' is stopped at position 41, token.revoked: RevokedBeforeIssued: the token" in out
    assert needed


def test_remark_says_to_rebuild_a_stale_projection(capsys):
    out, needed = shown(capsys, status(state="stale", version=2))
    assert "has rows of version 2, but this release needs version 1: rebuild it" in out
    assert needed


def test_remark_describes_a_build(capsys):
    out, needed = shown(capsys, status(state="rebuilding", build=BUILD))
    assert "version 2 of token_history is building at position 20 of 42 of log 'main', by host:9" in out
    assert not needed


def test_remark_describes_every_skip(capsys):
    out, needed = shown(capsys, status(skips=[SKIP]))
    assert (
        "skips position 17, token.issued, since 2026-03-01 12:00:00 UTC by operator:ada: known defect "
        "(it failed with: ValueError: no)"
    ) in out
    assert not needed


def test_status_escapes_control_characters(capsys):
    evil = "\x1b[2J"
    out, _ = shown(capsys, status(holder=evil, skips=[SKIP.__class__(1, "t", evil, evil, evil, AT)]))
    assert "\x1b" not in out
    assert out.count("\\x1b[2J") == 4


def test_json_contains_every_status(capsys):
    out, needed = shown(capsys, status(skips=[SKIP]), stopped(), json=True)
    document = json.loads(out)
    first, second = document["projections"]
    assert document["stalled"] is needed is True
    assert (first["state"], first["lag_events"], first["lag_seconds"], first["rate"]) == ("live", 2, 0.25, None)
    assert first["skips"][0]["reason"] == "known defect"
    assert second["stopped"]["error"].startswith("RevokedBeforeIssued")


@pytest.mark.parametrize("as_json", [True, False])
def test_watch_continues_while_the_database_is_unavailable(capsys, monkeypatch, as_json):
    monkeypatch.setattr(projection_views, "WATCH_INTERVAL_SECONDS", 0.0)
    look = AsyncMock(side_effect=[[status()], Unavailable("The database is away."), [status(position=42)], CANCELLED])
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(watch_statuses(look, json=as_json))
    out = capsys.readouterr().out
    assert "The database is away." in out
    if as_json:
        first, away, last = map(json.loads, out.splitlines())
        assert (first["projections"][0]["position"], last["projections"][0]["position"]) == (40, 42)
        assert away == {"unavailable": "The database is away."}
    else:
        assert out.count("token_history") == 2


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        *[(0.04, "0.0 s"), (9.94, "9.9 s"), (59.4, "59 s"), (60, "1 min 0 s")],
        *[(3_599, "59 min 59 s"), (3_661, "1 h 1 min"), (90_000, "1 d 1 h")],
    ],
)
def test_duration_has_its_two_largest_units(seconds, said):
    assert format_duration(seconds) == said
