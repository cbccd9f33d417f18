"""What both sources of history share: `LogSource` reads a database, `HttpSource` a service.

They have the same methods and return the same documents, of `api.http.audit.documents`. Every method raises
Unavailable when the history cannot be read now, and a Refusal or an OperationError that says what to change.
"""

from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from api.cli.audit.http_source import HttpSource
    from api.cli.audit.log_source import LogSource

AuditSource: TypeAlias = "LogSource | HttpSource"

AsOf = datetime | int | None
"""The moment of a query: an instant, a position, or None for now."""

PAGE_SIZE = 500
"""The number of tokens or events read at once."""


def limit_page_size(remaining: int | None) -> int:
    """The size of the next page if this many items are still wanted; None means all."""
    return PAGE_SIZE if remaining is None else min(PAGE_SIZE, remaining)
