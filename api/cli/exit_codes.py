"""What a command ends with, and the one place where an error becomes a line and an exit code."""

import sys
from enum import IntEnum
from typing import Any

import typer
from typer.core import TyperGroup

from api.cli.output import warn
from api.embedded_postgres import EmbeddedPostgresError
from api.service.settings import SettingsError
from ledger.domain.errors import LedgerError, Unavailable
from migrations.preconditions import MigrationError


class ExitCode(IntEnum):
    """How a command ended; scripts may rely on it."""

    OK = 0
    REFUSED = 1
    """Understood and refused, or something was found that needs a person."""
    USAGE = 2
    """A flag, argument or setting is wrong or missing."""
    UNAVAILABLE = 3
    """The database or the service cannot be reached or cannot answer now, or the database is not migrated."""


FORESEEN = (SettingsError, LedgerError, MigrationError, EmbeddedPostgresError)


class CommandError(Exception):
    """A command that cannot go on; the message says what to do."""

    def __init__(self, message: str, exit_code: ExitCode = ExitCode.REFUSED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class AnsweringGroup(TyperGroup):
    """The root of the commands. An error that was foreseen ends as its message, not as a stack trace."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; errors end it with the exit code of their kind."""
        try:
            return super().invoke(ctx)
        except (CommandError, *FORESEEN) as error:
            warn(str(error), label="error")
            raise typer.Exit(int(exit_code_of(error))) from None
        except BrokenPipeError:  # the reader of a pipe has seen enough, as `head` has
            sys.stderr.close()
            raise typer.Exit(int(ExitCode.OK)) from None


def exit_code_of(error: Exception) -> ExitCode:
    """The exit code of a foreseen error."""
    match error:
        case CommandError():
            return error.exit_code
        case SettingsError():
            return ExitCode.USAGE
        case Unavailable():
            return ExitCode.UNAVAILABLE
        case _:
            return ExitCode.REFUSED
