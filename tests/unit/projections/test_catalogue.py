"""The catalogue of projections."""

import pytest

from ledger.domain.recording import EventMapper
from projections.catalogue import (
    PROJECTIONS,
    UnknownProjection,
    all_projections,
    catch_up_projections,
    find_projection,
    inline_projections,
)

MAPPER = EventMapper()


def test_every_projection_is_either_inline_or_catch_up():
    assert [projection.name for projection in all_projections(MAPPER)] == ["active_tokens", "clients", "token_history"]
    assert [projection.name for projection in inline_projections(MAPPER)] == ["active_tokens", "clients"]
    assert [projection.name for projection in catch_up_projections(MAPPER)] == ["token_history"]


def test_error_lists_the_projections_when_a_name_is_unknown():
    assert find_projection("clients", MAPPER).name == "clients"
    with pytest.raises(UnknownProjection, match="'client' does not exist; the projections are active_tokens"):
        find_projection("client", MAPPER)


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)
def test_projection_refers_only_to_its_own_tables(projection):
    assert set(projection.stream_columns) <= set(projection.tables)
    assert projection.name.isidentifier()
