"""What the log asks of a projection that is written in the appending transaction."""

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

from msgspec import Struct

from ledger.domain.errors import Unavailable
from ledger.domain.recording import NewEvent, RecordedEvent
from ledger.postgres.database import Connection


class PartOfAppend(Struct, frozen=True):
    """What a projection writes, as a part of the statement that appends.

    `text` is a statement without its end, which looks at `moved`: that has one row if the append takes place, and
    none otherwise. Its parameters are $1, the number of the log, and then `arguments`.
    """

    text: str
    arguments: Sequence[Any]


class InlineProjection(Protocol):
    """A projection kept inside the append: when an event is recorded, its rows are there."""

    name: ClassVar[str]
    version: ClassVar[int]

    @property
    def topics(self) -> frozenset[str]:
        """The topics it is applied to."""
        ...

    def in_append(self, events: Sequence[NewEvent]) -> Sequence[PartOfAppend] | None:
        """What it writes for these events of its topics; None where it has to read before, or it cannot be said so.

        No part may rest on what another one writes: all of them see the tables as they were before.

        Raises a StoredDataError for an event that cannot be read back.
        """
        ...

    async def apply(self, connection: Connection, log_id: int, events: Sequence[RecordedEvent]) -> None:
        """Fold a batch, in position order, into its tables. What it raises undoes the whole append."""
        ...


class OtherVersion(Unavailable):
    """The rows of an inline projection are of another version than this code writes; the two are not mixed."""

    def __init__(self) -> None:
        super().__init__(
            "The inline projections of this database are of other versions than this release writes; nothing was "
            "recorded. 'token-ledger doctor' says which."
        )


def versions_of(inline: Sequence[InlineProjection]) -> tuple[list[str], list[int]]:
    """Names and versions, as the statements take them."""
    return [projection.name for projection in inline], [projection.version for projection in inline]


def check_versions(*, current: bool) -> None:
    """Raises OtherVersion unless the rows are of the versions that this code writes."""
    if not current:
        raise OtherVersion
