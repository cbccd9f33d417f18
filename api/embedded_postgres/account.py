"""Who the server runs as. PostgreSQL refuses root, so root gives it a system user and a way to the folder."""

import logging
import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from api.embedded_postgres.access import let_pass
from api.embedded_postgres.errors import EmbeddedPostgresError

SYSTEM_USER = "token-ledger-db"
OTHERS_MAY_READ = stat.S_IROTH
OTHERS_MAY_PASS = stat.S_IXOTH

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Account:
    """The system user of the server: this process's own, or another when this process is root."""

    uid: int
    gid: int
    name: str

    @property
    def switch_user(self) -> int | None:
        """The user a program must be started as; None when that is who we are."""
        return None if self.uid == os.geteuid() else self.uid

    @property
    def switch_group(self) -> int | None:
        """The group to go with it."""
        return None if self.uid == os.geteuid() else self.gid

    def own(self, path: Path) -> None:
        """Give a file or folder to the account; does nothing when it is this process's own."""
        if self.switch_user is not None:
            os.chown(path, self.uid, self.gid)

    def own_tree(self, folder: Path) -> None:
        """Give a folder and all in it to the account, where it is not its own: after a copy made by root, say."""
        if folder.stat().st_uid != self.uid:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def may(self, test: str, path: Path) -> bool:
        """Whether the account passes a test of test(1), such as -r or -x, on a path. Asked of the system itself."""
        result = subprocess.run(  # noqa: S603 (no word of it comes from outside but the path)
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

    def reach(self, folder: Path) -> None:
        """Let the account pass through the folders that lead to this one and through itself; no more than pass.

        Only root does this, and only where the account cannot pass already: the folders below /root, say.
        """
        if self.switch_user is None or self.may("-x", folder):
            return
        for step in (*reversed(folder.parents), folder):
            if not self.may("-x", step):
                _log.info("letting the system user %s pass through %s", self.name, step)
                let_pass(step, self.uid)
        if not self.may("-x", folder):
            msg = (
                f"The system user {self.name!r}, as whom root runs the embedded PostgreSQL, cannot reach {folder}. "
                "Choose a folder outside of any private one, or do not run as root."
            )
            raise EmbeddedPostgresError(msg)

    def open_tree(self, folder: Path) -> None:
        """Let everyone read the files of an installed program, as an ordinary umask would have."""
        if self.switch_user is None or not folder.exists():
            return
        _log.info("letting everyone read %s", folder)
        for path in (folder, *folder.rglob("*")):
            if not path.is_symlink():
                mode = path.stat().st_mode
                executable = stat.S_ISDIR(mode) or mode & stat.S_IXUSR
                path.chmod(stat.S_IMODE(mode) | OTHERS_MAY_READ | (OTHERS_MAY_PASS if executable else 0))


def account_for(data: Path) -> Account:
    """The account of a data folder: its owner where it exists, else this user, or the system user when root.

    Raises EmbeddedPostgresError when the folder belongs to someone we cannot become.
    """
    me = os.geteuid()
    owner = data.stat().st_uid if data.exists() else me
    if owner == me:
        return _system_user() if me == 0 else Account(me, os.getegid(), _name(me))
    if me != 0:
        msg = f"{data} belongs to the system user {_name(owner)!r}. Run as that user, or choose another folder."
        raise EmbeddedPostgresError(msg)
    return Account(owner, data.stat().st_gid, _name(owner))


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _system_user() -> Account:
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        entry = _create_system_user()
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)


def _create_system_user() -> pwd.struct_passwd:
    said = "there is no program useradd or adduser"
    for command in (
        ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/", "--shell", "/bin/false"],
        ["adduser", "-S", "-D", "-H", "-h", "/", "-s", "/bin/false"],
    ):
        if shutil.which(command[0]) is None:
            continue
        result = subprocess.run(  # noqa: S603 (no word of it comes from outside)
            [*command, SYSTEM_USER], check=False, capture_output=True, encoding="utf-8", start_new_session=True
        )
        try:  # also when it failed: another process may have made the user just now
            return pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            said = (result.stderr or result.stdout).strip()
    msg = (
        f"PostgreSQL does not run as root, and the system user {SYSTEM_USER!r} for it cannot be made ({said}). "
        "Run as an ordinary user, or use a server of your own: --dsn postgresql://…"
    )
    raise EmbeddedPostgresError(msg)
