"""Appending in one statement, to a log that nobody else appends to at the moment.

If the head row is where this process left it, nothing was appended since, so what was known of the streams then is true
now, and nothing has to be read under the lock. The statement takes the head row only if it is free and has not moved.
It never waits for it: its tables are locked before, and whoever exchanges a table under the head lock would wait for
those. Where it does not append, nothing was done, and the append goes the long way.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from ledger.postgres.inline import InlineProjection, PartOfAppend
from ledger.postgres.rows import event_columns
from ledger.postgres.statements import load_statements
from ledger.recording import EventToStore, RecordedEvent, StoredEvent, StreamGuard, Write, WriteResult, stream_id

SQL = load_statements("ledger.postgres", "event_log.sql")

MOST_STREAMS = 10_000

_PARAMETER = re.compile(r"\$(\d+)")


class Left(Struct, frozen=True):
    """How this process left a log: the newest position, and where the streams are that decisions relied on."""

    position: int
    versions: Mapping[UUID, int]

    def holds(self, writes: Sequence[Write]) -> bool:
        """Whether these writes conflict with nothing if the log was not touched since, each beginning a new stream.

        That a stream is new is for the log's unique key to say.
        """
        return all(
            all(self.versions.get(guard.stream_id) == guard.version for guard in write.guards)
            and all(self._begins_a_stream(event) for event in write.events)
            for write in writes
        )

    def _begins_a_stream(self, event: StoredEvent) -> bool:
        return (
            isinstance(event, EventToStore)
            and event.originator_version == 1
            and event.originator_id not in self.versions
        )


def left_after(
    before: Left | None,
    guards: Sequence[StreamGuard],
    versions: Mapping[UUID, int],
    events: Sequence[RecordedEvent],
    position: int,
) -> Left:
    """What is known after a batch at whose lock the streams were at `versions`, and which came to this position.

    `before` is what was known until then, where nobody else came between.
    """
    known = dict(before.versions) if before is not None and len(before.versions) < MOST_STREAMS else {}
    known.update({guard.stream_id: versions.get(guard.stream_id, 0) for guard in guards})
    for event in events:
        stream = stream_id(event)
        if stream in known:
            known[stream] = event.originator_version
    return Left(position, known)


class Statement(Struct, frozen=True):
    """The statement for a batch: its text, of which there are few, and its arguments."""

    text: str
    arguments: Sequence[Any]


def statement_for(
    log_id: int,
    left: Left,
    writes: Sequence[Write],
    inline: Sequence[InlineProjection],
    versions: tuple[list[str], list[int]],
) -> Statement | None:
    """The statement, or None when a projection has to be written by itself. Raises what the projections raise."""
    events = [event for write in writes for event in write.events if isinstance(event, EventToStore)]
    parts = []
    for projection in inline:
        of_interest = [event for event in events if event.topic in projection.topics]
        if of_interest:
            part = projection.in_append(of_interest)
            if part is None:
                return None
            parts.append(part)
    arguments = [
        log_id,
        left.position,
        *event_columns(events),
        *versions,
    ]
    text = SQL["append_at_once"]
    for number, part in enumerate(parts):
        text += f",\ninline_{number} AS (\n{_renumbered(part, len(arguments))}\n)"
        arguments.extend(part.arguments)
    return Statement(f"{text}\n{SQL['append_at_once_end']}", arguments)


def results_at_once(left: Left, writes: Sequence[Write], recorded_at: datetime) -> list[WriteResult]:
    """What becomes of writes that all survive."""
    results = []
    position = left.position
    for write in writes:
        first, position = position + 1, position + len(write.events)
        results.append(WriteResult(list(range(first, position + 1)), recorded_at))
    return results


def _renumbered(part: PartOfAppend, before: int) -> str:
    """The text with its parameters after those before it; the first, the number of the log, is shared."""

    def shifted(match: re.Match[str]) -> str:
        number = int(match[1])
        return match[0] if number == 1 else f"${number - 1 + before}"

    return _PARAMETER.sub(shifted, part.text)
