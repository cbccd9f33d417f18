"""Which grants are over and done with, so that an archive is all that need hold them. Pure."""

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
    """Of whole streams of grants, each in order, those that nothing can happen to any more.

    Their tokens had expired or were revoked before an instant, and no event of theirs lies behind position `until`. One
    with an event at a position that is `needed` is not among them. Raises a StoredDataError for an unreadable row.
    """
    closed = []
    for stream, events in groupby(rows, key=attrgetter("stream_id")):
        of_stream = list(events)
        positions = {row.position for row in of_stream}
        grant = fold_grant(mapper.decode(row) for row in of_stream)
        if grant is not None and not grant.is_active(before) and max(positions) <= until and not positions & needed:
            closed.append(stream)
    return closed
