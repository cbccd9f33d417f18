"""Why a projection cannot be built, compared or replayed."""

from ledger.domain.errors import Refusal


class BuildRefused(Refusal):
    """The operation is not possible now; the message says what to do."""


class BuildInProgress(BuildRefused):
    """Another process is building this projection."""


class AlreadyUpgraded(BuildRefused):
    """The live rows have the version of this release."""


class EventNotFolded(BuildRefused):
    """This release cannot decode or apply an event."""

    def __init__(self, projection: str, log_id: int, position: int, topic: str, error: Exception) -> None:
        super().__init__(
            f"The event at position {position} of log {log_id} ({topic}) cannot be folded into {projection}: "
            f"{type(error).__name__}: {error}. The live tables are unchanged; a release that can fold it resumes here."
        )


class ArchivesRequired(BuildRefused):
    """The log is archived up to `until`, and no folder of archives was given."""

    def __init__(self, log_id: int, until: int) -> None:
        super().__init__(
            f"The events of log {log_id} up to position {until} are archived and no longer in the log: give the folder "
            "of its archives as --archives."
        )
