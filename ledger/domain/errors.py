"""Every error that the ledger raises, in three families.

A *refusal* is a decision about a request that the caller may not make. *Unavailable* concerns the log: the request is
fine and can be retried. A *stored data* error concerns the content of a row.
"""


class LedgerError(Exception):
    """Base of every error that the ledger raises on purpose. Messages never contain a token or a secret."""


class Refusal(LedgerError):
    """The request was understood and is refused. The message gives the reason and may be shown to the caller."""


class InvalidClient(Refusal):
    """Client authentication failed. All causes have the same message, so that they cannot be told apart."""

    def __init__(self) -> None:
        super().__init__("Client authentication failed.")


class UnauthorizedClient(Refusal):
    """The authenticated client may not do this (RFC 6749 §5.2, RFC 7009 §2.1)."""


class InvalidScope(Refusal):
    """The requested scope is malformed, unknown, or more than the client may have (RFC 6749 §5.2)."""


class InvalidRegistration(Refusal):
    """A client registration or change is not acceptable. `field` is the invalid setting, if it is one."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class UnknownClient(Refusal):
    """No client with this id is registered with this issuer."""


class UnknownToken(Refusal):
    """This issuer never issued a token with this jti."""


class NoLog(Refusal):
    """This issuer has no log in this database."""


class LogNotEmpty(Refusal):
    """A log can only be restored into an empty one."""


class InvalidExport(Refusal):
    """A file is not a complete, unaltered export of a log. The message names the line."""


class Archived(Refusal):
    """The events were moved from the log to an archive; `until` is the last archived position."""

    def __init__(self, message: str, until: int = 0) -> None:
        super().__init__(message)
        self.until = until


class NotArchivable(Refusal):
    """This part of a log cannot be archived now. The message gives the remedy."""


class Unavailable(LedgerError):
    """The log cannot serve the request now. Nothing was recorded, unless a subclass says otherwise."""


class QueueFull(Unavailable):
    """The bounded queue of appends is full; nothing was recorded."""


class OutcomeUnknown(Unavailable):
    """The connection broke during commit and the log was not reachable since: the events may be recorded or not."""


class StoredDataError(LedgerError):
    """This code cannot read a stored event."""


class UnknownTopic(StoredDataError):
    """This code does not define the topic of a row. It never imports what a row names."""


class UnsupportedSchemaVersion(StoredDataError):
    """A row was written by newer code, or has a version that never existed."""


class CorruptPayload(StoredDataError):
    """A payload is not JSON, or does not have the shape of its topic and schema version."""
