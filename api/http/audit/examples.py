"""Example responses of the audit endpoints, built by the same code as real ones."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from api.http.audit.documents import (
    ClientEventsDocument,
    EventPageDocument,
    TokenEventsDocument,
    TokenPageDocument,
    client_event_documents,
    event_document,
    summary_document,
    token_document,
)
from ledger.domain.events import ClientRegistered, ClientSettings, Event, TokenIssued, TokenRevoked
from ledger.domain.identifiers import client_stream_id
from ledger.domain.recording import Cause, EventMapper, RecordedEvent, StreamEvent
from ledger.domain.token_record import Moment, fold_token_record
from ledger.use_cases.audit import Activity, ClientActivity, Summary

_MAPPER = EventMapper()
_CLIENT = "app"
_JTI = UUID("019cab2b-6f40-7b44-9d3c-3a1f0c9d5e21")
_NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
_LATER = _NOON + timedelta(minutes=5)


def _row(position: int, stream: UUID, version: int, event: Event, *, actor: str, at: datetime) -> RecordedEvent:
    stored = _MAPPER.encode(StreamEvent(stream, version, event), Cause(actor=actor, request_id="r-1"))
    return RecordedEvent(
        stream_id=stream,
        stream_version=version,
        topic=stored.topic,
        payload=stored.payload,
        position=position,
        schema_version=stored.schema_version,
        recorded_at=at,
        actor=actor,
        request_id="r-1",
        remote_address="192.0.2.7",
    )


def _token_rows() -> Sequence[RecordedEvent]:
    issued = TokenIssued(
        jti=_JTI,
        digest=bytes(32),
        client_id=_CLIENT,
        subject=_CLIENT,
        scope=("read",),
        audience=(_CLIENT,),
        grant_type="client_credentials",
        token_format="opaque",  # noqa: S106 (a format, not a secret)
        issued_at=_NOON,
        expires_at=_NOON + timedelta(hours=1),
    )
    revoked = TokenRevoked(jti=_JTI, digest=bytes(32), client_id=_CLIENT, revoked_at=_LATER, reason="lost laptop")
    return (
        _row(4711, _JTI, 1, issued, actor=f"client:{_CLIENT}", at=_NOON),
        _row(4812, _JTI, 2, revoked, actor="operator:ana", at=_LATER),
    )


def _client_rows() -> Sequence[RecordedEvent]:
    settings = ClientSettings(name="App", grant_types=("client_credentials",), scopes=("read", "write"))
    registered = ClientRegistered(client_id=_CLIENT, settings=settings, registered_at=_NOON)
    return (_row(1, client_stream_id(_CLIENT), 1, registered, actor="operator:ana", at=_NOON),)


def _plain(document: object) -> Any:
    return msgspec.json.decode(msgspec.json.encode(document))


_rows = _token_rows()
_moment = Moment(4900, _LATER)
_token = fold_token_record(_rows, _MAPPER)
assert _token is not None
_document = token_document(_token, _moment)
_event = event_document(_rows[1])

TOKEN_EXAMPLE = _plain(_document)
TOKEN_PAGE_EXAMPLE = _plain(TokenPageDocument(tokens=[_document], as_of=_moment, next=None))
TOKEN_EVENTS_EXAMPLE = _plain(TokenEventsDocument(jti=_JTI, events=[event_document(row) for row in _rows]))
EVENT_EXAMPLE = _plain(_event)
EVENT_PAGE_EXAMPLE = _plain(EventPageDocument(events=[_event], position=4900, next=None))
STREAM_EXAMPLE = f"id: 4811\n\nid: 4812\nevent: token.revoked\ndata: {msgspec.json.encode(_event).decode()}\n\n"
CLIENT_EVENTS_EXAMPLE = _plain(
    ClientEventsDocument(client_id=_CLIENT, events=client_event_documents(_client_rows(), _MAPPER))
)
SUMMARY_EXAMPLE = _plain(
    summary_document(
        Summary(4900, [Activity(_NOON, 21, 1, 40)], [ClientActivity(_CLIENT, 21, 1, 40)]),
        since=_NOON,
        until=_NOON + timedelta(hours=1),
        bucket="hour",
    )
)
