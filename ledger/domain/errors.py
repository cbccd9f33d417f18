"""Every way the ledger refuses or fails, in one place.

Three families: a *refusal* is a decision about a request (the caller did something it may not); an *unavailable* is
about the log (nothing wrong with the request, try again); a *stored data* error is about what a row says.
"""


class LedgerError(Exception):
    """Base of every error the ledger raises on purpose. Messages never hold a token or a secret."""


class Refusal(LedgerError):
    """The request was understood and is refused; the message says why, in words fit for the caller."""


class InvalidClient(Refusal):
    """Client authentication failed. One message for every cause, so that causes cannot be told apart."""

    def __init__(self) -> None:
        super().__init__("Client authentication failed.")


class UnauthorizedClient(Refusal):
    """The authenticated client may not do this (RFC 6749 §5.2, RFC 7009 §2.1)."""


class InvalidScope(Refusal):
    """The requested scope is malformed, unknown or exceeds what the client may have (RFC 6749 §5.2)."""


class InvalidRegistration(Refusal):
    """A client registration or change that cannot be accepted; the message names the field."""


class UnknownClient(Refusal):
    """No client of this id is registered with this issuer."""


class UnknownToken(Refusal):
    """No token of this jti was ever issued by this issuer."""


class NoLog(Refusal):
    """This issuer has no log in this database."""


class LogNotEmpty(Refusal):
    """A log can only be restored where nothing is recorded yet."""


class InvalidArchive(Refusal):
    """A file that is not the whole, unaltered export of a log; the message names the line."""


class Archived(Refusal):
    """What was asked about is in an archive of the log, and no longer in the log; `until` is where its archives end."""

    def __init__(self, message: str, until: int = 0) -> None:
        super().__init__(message)
        self.until = until


class NotArchivable(Refusal):
    """This part of a log cannot be moved to an archive as things are; the message says what to do."""


class Unavailable(LedgerError):
    """The log cannot take or answer this now. Unless a subclass says otherwise, nothing was recorded."""


class QueueFull(Unavailable):
    """More appends wait than the bounded queue holds; nothing was recorded."""


class OutcomeUnknown(Unavailable):
    """The connection broke during commit and the log could not be asked since: recorded, or not."""


class StoredDataError(LedgerError):
    """A stored event cannot be read by this code."""


class UnknownTopic(StoredDataError):
    """A row names a topic this code does not define. It is refused: a row never decides what is imported."""


class UnsupportedSchemaVersion(StoredDataError):
    """A row was written by newer code, or names a version that never existed."""


class CorruptPayload(StoredDataError):
    """A payload is not JSON, or not of the shape its topic and schema version promise."""
