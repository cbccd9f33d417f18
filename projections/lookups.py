"""Look up tokens and clients in the inline projections, in batches.

All look-ups requested while a query runs share the next query. An introspection requests a token and a client at once.
"""

from collections.abc import Awaitable, Mapping, Sequence
from typing import cast

from ledger.batching.batch_loader import BatchLoader
from ledger.domain.client import Client
from ledger.postgres.logs import Log
from ledger.postgres.statements import load_statements
from ledger.use_cases.ports import ActiveToken
from projections.active_tokens import SQL as TOKENS
from projections.active_tokens import active_token
from projections.clients import SQL as CLIENTS
from projections.clients import decode_client

SQL = load_statements("projections", "lookups.sql")


class LookUps:
    """Looks up tokens by digest (bytes) and clients by id (text) in one log."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._reads: BatchLoader[bytes | str, ActiveToken | Client] = BatchLoader(self._find)

    def token(self, digest: bytes) -> Awaitable[ActiveToken | None]:
        """Find a token as of this call. Raises Unavailable."""
        return cast("Awaitable[ActiveToken | None]", self._reads.load(digest))

    def client(self, client_id: str) -> Awaitable[Client | None]:
        """Find a client as of this call. Raises Unavailable."""
        return cast("Awaitable[Client | None]", self._reads.load(client_id))

    async def _find(self, keys: Sequence[bytes | str]) -> Mapping[bytes | str, ActiveToken | Client]:
        digests = [key for key in keys if isinstance(key, bytes)]
        client_ids = [key for key in keys if isinstance(key, str)]
        log_id = await self._log.find_id()
        async with self._log.database.connection() as connection:
            if not client_ids:
                rows = await connection.fetch(TOKENS["find"], log_id, digests)
                return {row["digest"]: active_token(row) for row in rows}
            if not digests:
                rows = await connection.fetch(CLIENTS["find"], log_id, client_ids)
                return {row["client_id"]: decode_client(row["document"]) for row in rows}
            rows = await connection.fetch(SQL["find_tokens_and_clients"], log_id, digests, client_ids)
        found: dict[bytes | str, ActiveToken | Client] = {}
        for row in rows:
            if row["digest"] is None:
                found[row["client_id"]] = decode_client(row["document"])
            else:
                found[row["digest"]] = active_token(row)
        return found


class PostgresActiveTokens:
    """Reads `active_tokens` of one log. Implements `ledger.use_cases.ports.ActiveTokens`."""

    def __init__(self, look_ups: LookUps) -> None:
        self._look_ups = look_ups

    def get(self, digest: bytes) -> Awaitable[ActiveToken | None]:
        """Find a token by digest as of this call; it may have expired. Raises Unavailable."""
        return self._look_ups.token(digest)


class PostgresClients:
    """Reads `clients` of one log. Implements `ledger.use_cases.ports.Clients`."""

    def __init__(self, log: Log, look_ups: LookUps) -> None:
        self._log = log
        self._look_ups = look_ups

    def get(self, client_id: str) -> Awaitable[Client | None]:
        """Find a client as of this call. Raises Unavailable."""
        if "\x00" in client_id:  # PostgreSQL cannot store this character, so no client has it
            return _no_client()
        return self._look_ups.client(client_id)

    async def list_all(self) -> Sequence[Client]:
        """Read every client, by id. Raises Unavailable."""
        log_id = await self._log.find_id()
        async with self._log.database.connection() as connection:
            rows = await connection.fetch(CLIENTS["all"], log_id)
        return [decode_client(row["document"]) for row in rows]


async def _no_client() -> None:
    return None
