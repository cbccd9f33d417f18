"""Projections: one list of events determines what is selected and what is folded; the catalogue lists them all."""

import pytest

from ledger.domain.errors import UnknownTopic
from ledger.domain.events import EVENT_TYPES, TokenIssued, TokenRevoked
from ledger.domain.recording import EventMapper, StreamEvent
from projections.catalogue import PROJECTIONS, UnknownProjection, all_projections, find_projection, inline_projections
from projections.projection import Projection
from tests.builders import CAUSE, JTI, row, token_issued, token_revoked

MAPPER = EventMapper()


class Recording(Projection):
    """Records the arguments of `fold`."""

    name = "recording"
    version = 1
    handles = (TokenIssued, TokenRevoked)
    tables = ()

    def __init__(self):
        super().__init__(MAPPER)
        self.folded = []

    async def fold(self, connection, log_id, events):
        self.folded.append((connection, log_id, [(one.event, one.row) for one in events]))


def stored(event, version=1):
    return MAPPER.encode(StreamEvent(JTI, version, event), CAUSE)


def test_topics_are_those_of_the_events_it_handles():
    assert Recording().topics == {"token.issued", "token.revoked"}


async def test_batch_is_folded_once_in_order_with_its_rows():
    projection = Recording()
    rows = [stored(token_issued()), stored(token_revoked(), 2)]

    await projection.apply("connection", 7, rows)

    assert projection.folded == [("connection", 7, [(token_issued(), rows[0]), (token_revoked(), rows[1])])]


async def test_batch_is_not_folded_when_a_row_cannot_be_decoded():
    projection = Recording()

    with pytest.raises(UnknownTopic):
        await projection.apply("connection", 7, [stored(token_issued()), row(topic="token.invented")])
    assert projection.folded == []


class TestCatalogue:
    def test_inline_projections_precede_catch_up_ones(self):
        inline = [projection.name for projection in inline_projections(MAPPER)]
        assert inline == ["active_tokens", "clients"]
        assert [projection.name for projection in all_projections(MAPPER)] == [*inline, "token_history", "event_index"]

    def test_error_lists_the_projections_when_a_name_is_unknown(self):
        assert find_projection("clients", MAPPER).name == "clients"
        with pytest.raises(UnknownProjection, match="'client' does not exist; the projections are active_tokens"):
            find_projection("client", MAPPER)

    def test_names_and_tables_belong_to_one_projection_each(self):
        tables = [table for projection in PROJECTIONS for table in projection.tables]
        assert len({projection.name for projection in PROJECTIONS}) == len(PROJECTIONS)
        assert len(set(tables)) == len(tables)

    @pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)
    def test_projection_refers_to_its_own_tables_and_known_events(self, projection):
        assert set(projection.stream_columns) <= set(projection.tables) != set()
        assert set(projection.handles) <= set(EVENT_TYPES)
        assert projection.name.isidentifier()
        assert projection.version >= 1

    def test_every_event_is_read_by_an_inline_projection(self):
        handled = {event_type for projection in inline_projections(MAPPER) for event_type in projection.handles}
        assert handled == set(EVENT_TYPES)
