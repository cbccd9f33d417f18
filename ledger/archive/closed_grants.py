"""Which grants are closed, so that their events may leave the log for an archive. Pure."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from uuid import UUID

from ledger.domain.grant import fold_grant
from ledger.domain.recording import EventMapper, RecordedEvent


def find_closed_grants(
    rows: Iterable[RecordedEvent],
    mapper: EventMapper,
    *,
    until: int,
    before: datetime,
    needed: AbstractSet[int] = frozenset(),
) -> list[UUID]:
    """Find the grants to which nothing more can happen, given the whole stream of each, in order.

    They were expired or revoked at the instant `before`, and have no event after position `until` or at a position in
    `needed`. Raises StoredDataError.
    """
    closed = []
    for stream, events in groupby(rows, key=attrgetter("stream_id")):
        of_stream = list(events)
        positions = {row.position for row in of_stream}
        grant = fold_grant(mapper.decode(row) for row in of_stream)
        if grant is not None and not grant.is_active(before) and max(positions) <= until and not positions & needed:
            closed.append(stream)
    return closed
