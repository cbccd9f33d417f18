"""A row of event_log as what it records, and events as what is put into its columns."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from ledger.domain.recording import NewEvent, RecordedEvent


def recorded_event(row: asyncpg.Record) -> RecordedEvent:
    """The event of a row selected by one of the read statements."""
    return RecordedEvent(
        stream_id=row["stream_id"],
        stream_version=row["stream_version"],
        topic=row["topic"],
        payload=row["payload"],
        position=row["position"],
        schema_version=row["schema_version"],
        recorded_at=row["recorded_at"],
        actor=row["actor"],
        request_id=row["request_id"],
        remote_address=row["remote_address"],
    )


def event_columns(events: Sequence[NewEvent | RecordedEvent]) -> Sequence[list[Any]]:
    """Column by column, as the statements that append take them."""
    return (
        [event.stream_id for event in events],
        [event.stream_version for event in events],
        [event.topic for event in events],
        [event.schema_version for event in events],
        [event.payload for event in events],
        [event.actor for event in events],
        [event.request_id for event in events],
        [event.remote_address for event in events],
    )
