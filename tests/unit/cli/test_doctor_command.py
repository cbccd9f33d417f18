from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import asyncpg
import pytest

from api.cli import doctor as doctor_command
from api.operations.doctor.checks import CheckContext, ok, problem, warning
from api.operations.doctor.examination import examine
from api.operations.doctor.server_checks import check_clock, check_version


def patient(**answers) -> CheckContext:
    async def fetchval(*_):
        return answers["value"]()

    connection = SimpleNamespace(fetchval=fetchval, get_server_version=lambda: answers["version"])
    return CheckContext(connection=connection, issuers=(), head_revision="0001", connections_needed=8)


@pytest.mark.parametrize(("seconds", "level"), [(0, "ok"), (0.5, "ok"), (5, "problem"), (-5, "problem")])
async def test_clock_is_a_problem_when_it_differs_by_over_a_second(seconds, level):
    found = await check_clock(patient(value=lambda: datetime.now(UTC) + timedelta(seconds=seconds)))
    assert found.level == level
    if level == "problem":
        assert ("ahead of" if seconds > 0 else "behind") in found.found


@pytest.mark.parametrize(("major", "level"), [(14, "problem"), (15, "ok"), (18, "ok")])
async def test_version_is_a_problem_when_older_than_15(major, level):
    version = asyncpg.ServerVersion(major, 2, 0, "final", 0)
    assert (await check_version(patient(version=version))).level == level


async def test_missing_privilege_is_a_problem_and_other_checks_still_run(monkeypatch):
    async def refused(_):
        message = "permission denied for table logs"
        raise asyncpg.InsufficientPrivilegeError(message)

    async def fine(_):
        return ok("schema", "revision 0001")

    monkeypatch.setattr("api.operations.doctor.examination.SERVER_CHECKS", (refused,))
    monkeypatch.setattr("api.operations.doctor.examination.LEDGER_CHECKS", ())
    monkeypatch.setattr("api.operations.doctor.ledger_checks.check_schema", fine)
    denied, schema = await examine(patient())
    assert (denied.level, denied.found) == ("problem", "could not be checked: permission denied for table logs")
    assert schema.level == "ok"


@pytest.fixture
def found(monkeypatch):
    def set_(*findings):
        async def examine_(*_):
            return list(findings)

        monkeypatch.setattr(doctor_command, "_examine", examine_)

    return set_


DSN = ("--dsn", "postgresql:///nowhere")


def test_exit_code_is_1_with_advice_when_there_is_a_problem(bare_cli, found):
    found(
        ok("version", "PostgreSQL 18.1"), problem("clock", "5 s behind", "Run NTP."), warning("logs", "none", "Use it.")
    )
    result = bare_cli("doctor", *DSN)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["ok", "version", "PostgreSQL", "18.1"]
    assert lines[1].startswith("PROBLEM")
    assert lines[2].strip() == "-> Run NTP."
    assert lines[-1] == "1 problem, 1 warning"


def test_exit_code_is_0_when_there_are_only_warnings(bare_cli, found):
    found(warning("logs", "none", "Use it."))
    assert bare_cli("doctor", *DSN).exit_code == 0


def test_json_contains_every_finding(bare_cli, found):
    found(ok("version", "PostgreSQL 18.1"))
    assert bare_cli.json("doctor", *DSN) == {
        "healthy": True,
        "findings": [{"check": "version", "level": "ok", "found": "PostgreSQL 18.1", "advice": ""}],
    }
