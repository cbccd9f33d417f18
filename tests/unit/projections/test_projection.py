"""What a projection is: one list drives what is selected and what is folded."""

import inspect

import pytest

from ledger.domain.errors import UnknownTopic
from ledger.domain.events import EVENT_TYPES, ClientDisabled, TokenIssued, TokenRevoked
from ledger.domain.recording import EventMapper, StreamEvent
from projections.active_tokens import ActiveTokensProjection
from projections.clients import ClientsProjection
from projections.projection import Projection
from tests.builders import CAUSE, JTI, NOW, row, token_issued, token_revoked

PROJECTIONS = [ActiveTokensProjection, ClientsProjection]
MAPPER = EventMapper()


class Noting(Projection):
    """Notes what it is given."""

    name = "noting"
    version = 1
    handles = (TokenIssued, TokenRevoked)
    tables = ()

    def __init__(self):
        super().__init__(MAPPER)
        self.noted = []

    async def fold(self, connection, log_id, events):
        self.noted.append((connection, log_id, [(one.event, one.row) for one in events]))


def stored(event, version=1):
    return MAPPER.encode(StreamEvent(JTI, version, event), CAUSE)


def test_its_topics_are_those_of_the_events_it_handles():
    assert Noting().topics == {"token.issued", "token.revoked"}


async def test_a_batch_is_decoded_once_in_its_order_with_the_rows():
    projection = Noting()
    rows = [stored(token_issued()), stored(token_revoked(), 2)]

    await projection.apply("connection", 7, rows)

    assert projection.noted == [("connection", 7, [(token_issued(), rows[0]), (token_revoked(), rows[1])])]


async def test_a_row_that_cannot_be_read_stops_the_batch_before_anything_is_folded():
    projection = Noting()

    with pytest.raises(UnknownTopic):
        await projection.apply("connection", 7, [stored(token_issued()), row(topic="token.invented")])
    assert projection.noted == []


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)
def test_every_event_a_projection_handles_is_one_of_the_ledgers(projection):
    assert set(projection.handles) <= set(EVENT_TYPES)
    assert projection.tables
    assert projection.version >= 1
    assert not inspect.isabstract(projection)


def test_names_and_tables_belong_to_one_projection_each():
    assert len({projection.name for projection in PROJECTIONS}) == len(PROJECTIONS)
    tables = [table for projection in PROJECTIONS for table in projection.tables]
    assert len(set(tables)) == len(tables)


def test_every_event_is_read_by_an_inline_projection():
    handled = {event_type for projection in PROJECTIONS for event_type in projection.handles}

    assert handled == set(EVENT_TYPES)
    assert ClientDisabled(client_id="shop", disabled_at=NOW, reason="").TOPIC in ClientsProjection(MAPPER).topics
