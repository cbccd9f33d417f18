"""Projections are found by their declarations."""

import pytest

from ledger.domain.recording import EventMapper
from projections.catalogue import (
    UnknownProjection,
    catch_up_projections,
    find_projection,
    inline_projections,
    projection_types,
)

MAPPER = EventMapper()


def test_each_is_found_once_by_name():
    assert [declaration.name for declaration in projection_types()] == ["active_tokens", "clients", "token_history"]


def test_each_is_either_inline_or_follows():
    assert [projection.name for projection in inline_projections(MAPPER)] == ["active_tokens", "clients"]
    assert [projection.name for projection in catch_up_projections(MAPPER)] == ["token_history"]


def test_an_unknown_name_is_answered_with_those_there_are():
    assert find_projection("clients", MAPPER).name == "clients"
    with pytest.raises(UnknownProjection, match="no projection 'client': there are active_tokens, clients, token_hist"):
        find_projection("client", MAPPER)


@pytest.mark.parametrize("declaration", projection_types(), ids=lambda declaration: declaration.name)
def test_a_declaration_speaks_of_its_own_tables_only(declaration):
    assert set(declaration.stream_columns) <= set(declaration.tables)
    assert declaration.name.isidentifier()
