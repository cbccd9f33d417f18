"""Errors of operations; the command line prints their messages and maps them to exit codes."""


class OperationError(Exception):
    """The operation cannot be completed. The message says why and what to do."""


class UsageError(OperationError):
    """A flag, an argument or a setting is wrong; nothing was changed."""
