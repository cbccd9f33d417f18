"""The inline projection `clients`: the state of every client, which authentication reads."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import get_args

import msgspec

from ledger.domain.client import Client, evolve_client
from ledger.domain.events import ClientEvent
from ledger.domain.identifiers import client_stream_id
from ledger.domain.recording import StreamEvent
from ledger.postgres.database import Connection
from ledger.postgres.statements import load_statements
from projections.projection import Projected, Projection

SQL = load_statements("projections", "clients.sql")

_encode = msgspec.json.Encoder(order="sorted").encode


class ClientsProjection(Projection):
    """One row per client: the aggregate as a document."""

    name = "clients"
    version = 1
    inline = True
    handles = get_args(ClientEvent)
    tables = ("clients",)
    hidden_columns = frozenset({"document"})  # it contains hashes of secrets

    async def fold(self, connection: Connection, log_id: int, events: Sequence[Projected]) -> None:
        """Load the clients of the events, evolve and store them: one read and one write per batch."""
        changes = [(_client_id(projected), projected) for projected in events]
        clients = dict(await _find(connection, log_id, [client_id for client_id, _ in changes]))
        for client_id, projected in changes:
            # The stream id follows from the client id.
            stream = client_stream_id(client_id)
            recorded = StreamEvent(stream, projected.row.stream_version, projected.event)
            clients[client_id] = evolve_client(clients.get(client_id), recorded)
        await connection.execute(
            SQL["upsert"],
            log_id,
            list(clients),
            [client.version for client in clients.values()],
            [encode_client(client) for client in clients.values()],
        )


def encode_client(client: Client) -> str:
    """Encode a client as its document, with sorted keys."""
    return _encode(client).decode("utf-8")


async def _find(connection: Connection, log_id: int, client_ids: Sequence[str]) -> Mapping[str, Client]:
    rows = await connection.fetch(SQL["find"], log_id, client_ids)
    return {row["client_id"]: decode_client(row["document"]) for row in rows}


@lru_cache(maxsize=1024)
def decode_client(document: str) -> Client:
    """Decode a client. The cache key is the whole document, so the result is never out of date."""
    return msgspec.json.decode(document, type=Client)


def _client_id(projected: Projected) -> str:
    event = projected.event
    assert isinstance(event, ClientEvent)
    return event.client_id
