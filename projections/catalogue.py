"""The projections of this release. To add one, add its class to PROJECTIONS."""

from collections.abc import Mapping, Sequence

from ledger.domain.errors import Refusal
from ledger.domain.recording import EventMapper
from projections.active_tokens import ActiveTokensProjection
from projections.clients import ClientsProjection
from projections.event_index import EventIndexProjection
from projections.projection import Projection
from projections.token_history import TokenHistoryProjection

PROJECTIONS: tuple[type[Projection], ...] = (
    ActiveTokensProjection,
    ClientsProjection,
    TokenHistoryProjection,
    EventIndexProjection,
)


class UnknownProjection(Refusal):
    """No projection has this name."""


def all_projections(mapper: EventMapper) -> Sequence[Projection]:
    """Create every projection, inline ones first."""
    return [*inline_projections(mapper), *catch_up_projections(mapper)]


def inline_projections(mapper: EventMapper) -> Sequence[Projection]:
    """Create the projections that every append updates."""
    return [projection(mapper) for projection in PROJECTIONS if projection.inline]


def inline_versions() -> Mapping[str, int]:
    """The versions of the inline projections that this release writes, by name."""
    return {projection.name: projection.version for projection in PROJECTIONS if projection.inline}


def catch_up_projections(mapper: EventMapper) -> Sequence[Projection]:
    """Create the projections that follow the log."""
    return [projection(mapper) for projection in PROJECTIONS if not projection.inline]


def find_projection(name: str, mapper: EventMapper) -> Projection:
    """Create the projection of a name. Raises UnknownProjection."""
    for projection in PROJECTIONS:
        if projection.name == name:
            return projection(mapper)
    known = ", ".join(projection.name for projection in PROJECTIONS)
    msg = f"projection {name!r} does not exist; the projections are {known}"
    raise UnknownProjection(msg)
