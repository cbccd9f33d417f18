"""Rows of event_log as recorded events."""

import asyncpg

from ledger.domain.recording import RecordedEvent


def recorded_event(row: asyncpg.Record) -> RecordedEvent:
    """The event of a row. Only statements for exports select the salt."""
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
        salt=row.get("salt"),
    )
