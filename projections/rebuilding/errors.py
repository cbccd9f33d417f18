"""Why something cannot be built, compared or replayed."""

from ledger.domain.errors import Refusal


class BuildRefused(Refusal):
    """It cannot be done as things are; the message says what to do."""


class BuildInProgress(BuildRefused):
    """Another process is building this projection."""


class NewerVersionStored(BuildRefused):
    """The rows there are were written by a newer version of the projection than this release has."""


class AlreadyUpgraded(BuildRefused):
    """The rows there are were written by the version of the projection that this release has."""


class EventNotFolded(BuildRefused):
    """An event that this release cannot read or apply."""

    def __init__(self, projection: str, log_id: int, position: int, topic: str, error: Exception) -> None:
        super().__init__(
            f"The event at position {position} of log {log_id} ({topic}) cannot be folded into {projection}: "
            f"{type(error).__name__}: {error}. Nothing live was changed; what can apply it goes on from there."
        )


class ArchivesRequired(BuildRefused):
    """The beginning of a log is in archives, and nobody said where they are."""

    def __init__(self, log_id: int, until: int) -> None:
        super().__init__(
            f"The events of log {log_id} up to position {until} are archived, and not in the log any more: give the "
            "folder of its archives as --archives."
        )


class SwapTimedOut(BuildRefused):
    """The live tables were in use for all the time that the swap waited."""
