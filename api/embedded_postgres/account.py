"""The system user of the server. PostgreSQL refuses to run as root, so root runs it as a separate user."""

import logging
import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from api.embedded_postgres.access import allow_traversal
from api.embedded_postgres.errors import EmbeddedPostgresError

SYSTEM_USER = "token-ledger-db"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Account:
    """The system user of the server: the user of this process, or another one when this process is root."""

    uid: int
    gid: int
    name: str

    @property
    def switch_user(self) -> int | None:
        """The user to start programs as; None when this process already is that user."""
        return None if self.uid == os.geteuid() else self.uid

    @property
    def switch_group(self) -> int | None:
        """The group that belongs to `switch_user`."""
        return None if self.uid == os.geteuid() else self.gid

    def own(self, path: Path) -> None:
        """Make the account the owner of a file or folder."""
        if self.switch_user is not None:
            os.chown(path, self.uid, self.gid)

    def own_tree(self, folder: Path) -> None:
        """Make the account the owner of a folder and its content, if root owns them after a copy, for example."""
        if folder.stat().st_uid != self.uid:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def may(self, test: str, path: Path) -> bool:
        """Run a test of test(1), such as -r or -x, as the account."""
        result = subprocess.run(  # noqa: S603 (only the path is not a constant)
            ["/bin/sh", "-c", 'test "$1" "$2"', "sh", test, str(path)],
            check=False,
            cwd="/",
            env={},
            start_new_session=True,
            user=self.switch_user,
            group=self.switch_group,
            extra_groups=None if self.switch_user is None else [],
        )
        return result.returncode == 0

    def ensure_reachable(self, folder: Path) -> None:
        """Let the account traverse this folder and its parents, for example below /root.

        Only root can need this. Raises EmbeddedPostgresError when it does not help.
        """
        if self.switch_user is None or self.may("-x", folder):
            return
        for step in (*reversed(folder.parents), folder):
            if not self.may("-x", step):
                _log.info("letting the system user %s traverse %s", self.name, step)
                allow_traversal(step, self.uid)
        if not self.may("-x", folder):
            msg = (
                f"The system user {self.name!r}, as which root runs the embedded PostgreSQL, cannot reach {folder}. "
                "Choose a folder that is not below a private one, or do not run as root."
            )
            raise EmbeddedPostgresError(msg)

    def make_tree_readable(self, folder: Path) -> None:
        """Let every user read an installed program, as with an ordinary umask."""
        if self.switch_user is None or not folder.exists():
            return
        _log.info("letting every user read %s", folder)
        for path in (folder, *folder.rglob("*")):
            if not path.is_symlink():
                mode = path.stat().st_mode
                executable = stat.S_ISDIR(mode) or mode & stat.S_IXUSR
                path.chmod(stat.S_IMODE(mode) | stat.S_IROTH | (stat.S_IXOTH if executable else 0))


def find_account(data: Path) -> Account:
    """Return the owner of a data folder. For a new folder: this user, or the system user when this process is root.

    Raises EmbeddedPostgresError when the folder belongs to a user that this process cannot switch to.
    """
    me = os.geteuid()
    owner = data.stat().st_uid if data.exists() else me
    if owner == me:
        return _ensure_system_user() if me == 0 else Account(me, os.getegid(), _user_name(me))
    if me != 0:
        msg = f"{data} belongs to the system user {_user_name(owner)!r}. Run as that user, or choose another folder."
        raise EmbeddedPostgresError(msg)
    return Account(owner, data.stat().st_gid, _user_name(owner))


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _ensure_system_user() -> Account:
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        entry = _create_system_user()
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)


def _create_system_user() -> pwd.struct_passwd:
    reason = "neither useradd nor adduser is installed"
    for command in (
        ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/", "--shell", "/bin/false"],
        ["adduser", "-S", "-D", "-H", "-h", "/", "-s", "/bin/false"],
    ):
        if shutil.which(command[0]) is None:
            continue
        result = subprocess.run(  # noqa: S603 (all arguments are constants)
            [*command, SYSTEM_USER], check=False, capture_output=True, encoding="utf-8", start_new_session=True
        )
        try:  # even after a failure: another process may have created the user meanwhile
            return pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            reason = (result.stderr or result.stdout).strip()
    msg = (
        f"PostgreSQL does not run as root, and its system user {SYSTEM_USER!r} cannot be created ({reason}). "
        "Run as an ordinary user, or connect to another PostgreSQL server: --dsn postgresql://…"
    )
    raise EmbeddedPostgresError(msg)
