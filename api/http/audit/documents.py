"""The documents that auditors see, over HTTP and on the command line. Instants are RFC 3339 in UTC.

They never contain token digests or secret hashes, which a stolen token or secret could be tested against.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from api.http.audit.shown_events import shown_data
from ledger.domain.events import ClientRegistered, ClientSettings, ClientUpdated
from ledger.domain.recording import EventMapper, RecordedEvent
from ledger.domain.scope import format_scope
from ledger.domain.token_record import Moment, Recorded, Revocation, TokenRecord, TokenState
from ledger.use_cases.audit import Activity, ClientActivity, Summary


class TokenDocument(Struct, frozen=True, kw_only=True):
    """A token, its state at `as_of`, and a one-line explanation. `scope` is space-delimited."""

    jti: UUID
    state: TokenState
    explanation: str
    client_id: str
    subject: str
    scope: str
    audience: tuple[str, ...]
    grant_id: UUID
    grant_type: str
    token_format: str
    issued_at: datetime
    expires_at: datetime
    issued: Recorded
    revoked: Revocation | None
    as_of: Moment


class TokenPageDocument(Struct, frozen=True, kw_only=True):
    """Tokens as of one moment, newest first. `next` is the cursor of the next page, null on the last."""

    tokens: Sequence[TokenDocument]
    as_of: Moment
    next: str | None


class EventDocument(Struct, frozen=True):
    """A recorded event. `data` has the fields of its type: a dict, or a struct that is encoded without becoming one."""

    position: int
    recorded_at: datetime
    type: str
    schema_version: int
    stream_id: UUID
    stream_version: int
    actor: str | None
    request_id: str | None
    remote_address: str | None
    data: Any


class EventPageDocument(Struct, frozen=True, kw_only=True):
    """The matching events up to and including `position`, in order. `next` is null at the end of the log."""

    events: Sequence[EventDocument]
    position: int
    next: int | None


class TokenEventsDocument(Struct, frozen=True, kw_only=True):
    """The events of a token, in order."""

    jti: UUID
    events: Sequence[EventDocument]


class FieldChange(Struct, frozen=True, kw_only=True, rename={"old": "from", "new": "to"}):
    """A changed field of a client's settings, before and after."""

    field: str
    old: Any
    new: Any


class ClientEventDocument(EventDocument, frozen=True):
    """An event of a client. `changes` lists its changed settings; all of them for a registration."""

    changes: Sequence[FieldChange]


class ClientEventsDocument(Struct, frozen=True, kw_only=True):
    """The events of a client, in order."""

    client_id: str
    events: Sequence[ClientEventDocument]


class SummaryDocument(Struct, frozen=True, kw_only=True):
    """Counts over time and per client, of the log up to `position`."""

    since: datetime
    until: datetime
    bucket: str
    position: int
    buckets: Sequence[Activity]
    clients: Sequence[ClientActivity]


def token_document(token: TokenRecord, moment: Moment) -> TokenDocument:
    """Describe a token as of a moment; later events are left out."""
    revoked = token.revoked
    return TokenDocument(
        jti=token.jti,
        state=token.state(moment),
        explanation=token.explain(moment),
        client_id=token.client_id,
        subject=token.subject,
        scope=format_scope(token.scope),
        audience=token.audience,
        grant_id=token.grant_id,
        grant_type=token.grant_type,
        token_format=token.token_format,
        issued_at=token.issued_at,
        expires_at=token.expires_at,
        issued=token.issued,
        revoked=revoked if revoked is not None and revoked.position <= moment.position else None,
        as_of=moment,
    )


def event_document(row: RecordedEvent) -> EventDocument:
    """Describe an event. Raises StoredDataError if this release cannot read it."""
    return EventDocument(*_fields(row), msgspec.to_builtins(shown_data(row)))


def event_line(row: RecordedEvent) -> EventDocument:
    """Describe an event for encoding only: faster, because `data` stays a struct. Raises like `event_document`."""
    return EventDocument(*_fields(row), shown_data(row))


def client_event_documents(rows: Sequence[RecordedEvent], mapper: EventMapper) -> Sequence[ClientEventDocument]:
    """Describe the events of a client's stream. Raises StoredDataError if this release cannot read one."""
    documents = []
    settings: ClientSettings | None = None
    for row in rows:
        event = mapper.decode(row).event
        changes: Sequence[FieldChange] = ()
        if isinstance(event, ClientRegistered | ClientUpdated):
            changes = _changes(settings, event.settings)
            settings = event.settings
        documents.append(ClientEventDocument(*_fields(row), msgspec.to_builtins(shown_data(row)), changes))
    return documents


def summary_document(summary: Summary, *, since: datetime, until: datetime, bucket: str) -> SummaryDocument:
    """Describe a summary and its window."""
    return SummaryDocument(
        since=since,
        until=until,
        bucket=bucket,
        position=summary.position,
        buckets=summary.buckets,
        clients=summary.clients,
    )


def _fields(row: RecordedEvent) -> tuple[int, datetime, str, int, UUID, int, str | None, str | None, str | None]:
    """The fields of an EventDocument before `data`."""
    return (
        row.position,
        row.recorded_at,
        row.topic,
        row.schema_version,
        row.stream_id,
        row.stream_version,
        row.actor,
        row.request_id,
        row.remote_address,
    )


def _changes(old: ClientSettings | None, new: ClientSettings) -> Sequence[FieldChange]:
    before = msgspec.to_builtins(old) if old is not None else {}
    after: dict[str, Any] = msgspec.to_builtins(new)
    return [
        FieldChange(field=name, old=before.get(name), new=value)
        for name, value in after.items()
        if before.get(name) != value or old is None
    ]
