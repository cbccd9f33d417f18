"""The views that the inline projections keep, as requests read them.

Look-ups are read in batches: all that are asked for while a query runs share the next, tokens and clients alike. An
introspection asks for one of each at once.
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
    """Look-ups in the views of one log: of tokens by digest, which is bytes, and of clients by id, which is text."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._reads: BatchLoader[bytes | str, ActiveToken | Client] = BatchLoader(self._find)

    def token(self, digest: bytes) -> Awaitable[ActiveToken | None]:
        """A token as of this call. Raises Unavailable."""
        return cast("Awaitable[ActiveToken | None]", self._reads.load(digest))

    def client(self, client_id: str) -> Awaitable[Client | None]:
        """A client as of this call. Raises Unavailable."""
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
    """The view `active_tokens` of one log. Implements `ledger.use_cases.ports.ActiveTokens`."""

    def __init__(self, look_ups: LookUps) -> None:
        self._look_ups = look_ups

    def get(self, digest: bytes) -> Awaitable[ActiveToken | None]:
        """The token of a digest as of this call, also for a while after it expired. Raises Unavailable."""
        return self._look_ups.token(digest)


class PostgresClients:
    """The view `clients` of one log. Implements `ledger.use_cases.ports.Clients`."""

    def __init__(self, log: Log, look_ups: LookUps) -> None:
        self._log = log
        self._look_ups = look_ups

    def get(self, client_id: str) -> Awaitable[Client | None]:
        """A client as of this call. Raises Unavailable."""
        if "\x00" in client_id:  # PostgreSQL has no such text, so there is no such client
            return _nobody()
        return self._look_ups.client(client_id)

    async def all(self) -> Sequence[Client]:
        """Every client, by id. Raises Unavailable."""
        log_id = await self._log.find_id()
        async with self._log.database.connection() as connection:
            rows = await connection.fetch(CLIENTS["all"], log_id)
        return [decode_client(row["document"]) for row in rows]


async def _nobody() -> None:
    return None
