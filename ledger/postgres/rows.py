"""A row of event_log as what it records."""

import asyncpg

from ledger.recording import RecordedEvent


def recorded_event(row: asyncpg.Record) -> RecordedEvent:
    """The event of a row selected by one of the read statements."""
    return RecordedEvent(
        originator_id=row["stream_id"],
        originator_version=row["stream_version"],
        topic=row["topic"],
        state=row["payload"],
        id=row["position"],
        schema_version=row["schema_version"],
        recorded_at=row["recorded_at"],
        actor=row["actor"],
        request_id=row["request_id"],
        remote_address=row["remote_address"],
    )
