"""A token's events where they are in the log, and where they are in an archive, which one."""

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from api.cli.audit.source import AuditSource
from api.http.audit.documents import EventDocument
from ledger.domain.errors import Archived


class TokenEvents(Struct, frozen=True):
    """The events of a token; or none, and where they are."""

    there: Sequence[EventDocument]
    archived: str = ""


async def events_of(source: AuditSource, jti: UUID) -> TokenEvents:
    """The events of a token. Raises UnknownToken, Unavailable."""
    try:
        return TokenEvents(await source.token_events(jti))
    except Archived as error:
        return TokenEvents((), str(error))
