"""The exit codes of commands, and the mapping from errors to them."""

import sys
from enum import IntEnum
from typing import Any

import typer
from typer.core import TyperGroup

from api.cli.output import print_warning
from api.embedded_postgres import EmbeddedPostgresError
from api.operations.errors import OperationError, UsageError
from api.service.settings import SettingsError
from ledger.domain.errors import LedgerError, Unavailable
from migrations.preconditions import MigrationError


class ExitCode(IntEnum):
    """How a command ended; scripts may rely on it."""

    OK = 0
    """Done."""
    REFUSED = 1
    """The command was refused, or it found something that needs an operator."""
    USAGE = 2
    """A flag, argument or setting is wrong or missing."""
    UNAVAILABLE = 3
    """The database or the service is unreachable or unavailable, or the database is not migrated."""


EXPECTED_ERRORS = (OperationError, SettingsError, LedgerError, MigrationError, EmbeddedPostgresError)


class CommandGroup(TyperGroup):
    """The root of all commands. It prints an expected error as one message instead of a stack trace."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an expected error ends it with its exit code."""
        try:
            return super().invoke(ctx)
        except EXPECTED_ERRORS as error:
            print_warning(str(error), label="error")
            raise typer.Exit(int(find_exit_code(error))) from None
        except BrokenPipeError:  # the reader of the pipe has closed it, as `head` does
            sys.stderr.close()
            raise typer.Exit(int(ExitCode.OK)) from None


def find_exit_code(error: Exception) -> ExitCode:
    """Map an expected error to its exit code."""
    match error:
        case UsageError() | SettingsError():
            return ExitCode.USAGE
        case Unavailable():
            return ExitCode.UNAVAILABLE
        case _:
            return ExitCode.REFUSED
