"""Appending in one statement: it looks whether streams are where they have to be, and appends if they are.

It can say so of a whole batch, not of one write in it. Where it does not append, nothing was done, and looking at each
write tells which is in conflict, and with what.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

from msgspec import Struct

from ledger.domain.recording import NewEvent, Write
from ledger.postgres.inline import InlineProjection
from ledger.postgres.rows import event_columns
from ledger.postgres.statements import load_statements

SQL = load_statements("ledger.postgres", "event_log.sql")

_PARAMETER = re.compile(r"\$(\d+)")

Versions = Mapping[UUID, int]
"""Streams, and where each has to be: the version of its last event, 0 where there may be none."""


class Statement(Struct, frozen=True):
    """The statement for a batch: its text, of which there are few, its arguments, and how many events it appends."""

    text: str
    arguments: Sequence[Any]
    events: int


def statement_for(
    log_id: int,
    writes: Sequence[Write],
    inline: Sequence[InlineProjection],
    versions: tuple[list[str], list[int]],
) -> Statement | None:
    """The statement, or None where writes of the batch depend on each other, or a projection has to read first.

    `versions` are those of the inline projections, by name. Raises what the projections raise.
    """
    required = required_versions(writes)
    if required is None:
        return None
    events = [event for write in writes for event in write.events if isinstance(event, NewEvent)]
    if not events:
        return None
    arguments = [log_id, *event_columns(events), *versions, list(required), list(required.values())]
    texts = []
    for projection in inline:
        of_interest = [event for event in events if event.topic in projection.topics]
        if not of_interest:
            continue
        parts = projection.in_append(of_interest)
        if parts is None:
            return None
        for part in parts:
            texts.append((part.text, len(arguments)))
            arguments.extend(part.arguments)
    return Statement(_text(tuple(texts)), arguments, len(events))


def required_versions(writes: Sequence[Write]) -> Versions | None:
    """Where streams have to be for all of these writes to hold; None when an event rests on another one of the batch.

    A stream that an event begins is not named: that it does not exist is for the log's unique key to say.
    """
    guarded: dict[UUID, int] = {}
    begun: set[UUID] = set()
    continued: dict[UUID, int] = {}
    for write in writes:
        for guard in write.guards:
            if guarded.setdefault(guard.stream_id, guard.version) != guard.version:
                return None
        for event in write.events:
            stream, version = event.stream_id, event.stream_version
            if stream in begun or stream in continued or not isinstance(event, NewEvent):
                return None
            if version == 1:
                begun.add(stream)
            else:
                continued[stream] = version - 1
    if not (begun.isdisjoint(guarded) and guarded.keys().isdisjoint(continued)):
        return None
    return guarded | continued


@lru_cache(maxsize=64)
def _text(parts: tuple[tuple[str, int], ...]) -> str:
    """The text with these parts of projections, each with the number of arguments before its own."""
    text = SQL["append_at_once"]
    for number, (part, before) in enumerate(parts):
        text += f",\ninline_{number} AS (\n{_renumbered(part, before)}\n)"
    return f"{text}\n{SQL['append_at_once_end']}"


def _renumbered(part: str, before: int) -> str:
    """The text with its parameters after those before it; the first, the number of the log, is shared."""

    def shifted(match: re.Match[str]) -> str:
        number = int(match[1])
        return match[0] if number == 1 else f"${number - 1 + before}"

    return _PARAMETER.sub(shifted, part)
