"""Use case: authenticate a client by its secret (RFC 6749 §2.3.1)."""

import asyncio
import hashlib
from collections import OrderedDict
from concurrent.futures import Executor

from ledger.domain.client import MAX_VALID_SECRETS, Client
from ledger.domain.clock import Clock, RandomBytes
from ledger.domain.errors import InvalidClient, Unavailable
from ledger.domain.events import StoredSecret
from ledger.domain.secrets import MAX_SECRET_CHARACTERS, decoy_hash, verify_chosen_secret, verify_generated_secret
from ledger.use_cases.ports import Clients


class ClientAuthentication:
    """Authenticates the clients of one issuer.

    Every refusal takes as many argon2id computations as a client can have valid secrets, if necessary on a decoy. A
    success takes one and is cached. The cache key is a MAC of the secret and the stored hash under a key of this
    process, so an entry is useless once the client no longer has that hash.
    """

    def __init__(
        self,
        *,
        clients: Clients,
        verifications: Executor,
        clock: Clock,
        random_bytes: RandomBytes,
        max_cached: int = 10_000,
        max_waiting: int = 100,
    ) -> None:
        """`verifications` runs the argon2id computations; at most `max_waiting` distinct ones may wait for it."""
        self._clients = clients
        self._executor = verifications
        self._clock = clock
        self._key = random_bytes(32)
        self._cache: OrderedDict[bytes, None] = OrderedDict()
        self._max_cached = max_cached
        self._max_waiting = max_waiting
        self._running: dict[bytes, asyncio.Future[str | None]] = {}

    async def authenticate(self, client_id: str, secret: str) -> Client:
        """Return the enabled client with this id, if the secret is one of its valid secrets.

        Raises InvalidClient otherwise, or Unavailable when the view cannot be read or too many verifications wait.
        """
        client = await self._clients.get(client_id)
        enabled = client is not None and client.enabled
        valid = client.valid_secrets(self._clock()) if client is not None else ()
        if enabled and client is not None and self._matches_cached(secret, valid):
            return client
        matched = await self._verify(client_id, secret, valid, stop_at_match=enabled)
        if client is None or not enabled or not matched:
            raise InvalidClient
        return client

    def _matches_cached(self, secret: str, valid: tuple[StoredSecret, ...]) -> bool:
        for stored in valid:
            if stored.kind == "sha256":
                if verify_generated_secret(secret, stored):
                    return True
            else:
                key = self._cache_key(secret, stored.hash)
                if key in self._cache:
                    self._cache.move_to_end(key)
                    return True
        return False

    async def _verify(
        self, client_id: str, secret: str, valid: tuple[StoredSecret, ...], *, stop_at_match: bool
    ) -> bool:
        hashes = tuple(stored.hash for stored in valid if stored.kind == "argon2id")
        matched = await self._share_verification(
            client_id, secret[:MAX_SECRET_CHARACTERS], hashes, stop_at_match=stop_at_match
        )
        if matched is None or len(secret) > MAX_SECRET_CHARACTERS:
            return False
        if stop_at_match:
            self._cache[self._cache_key(secret, matched)] = None
            if len(self._cache) > self._max_cached:
                self._cache.popitem(last=False)
        return True

    async def _share_verification(
        self, client_id: str, secret: str, hashes: tuple[str, ...], *, stop_at_match: bool
    ) -> str | None:
        """Compute once for concurrent requests of one client with the same secret.

        Different clients never share a computation: if only unknown ids did, the time that many ids take together would
        reveal which are known.
        """
        key = self._cache_key(secret, f"{stop_at_match}{hashes}{client_id}")
        running = self._running.get(key)
        if running is None:
            if len(self._running) >= self._max_waiting:
                msg = "Too many client authentications wait to be verified."
                raise Unavailable(msg)
            running = asyncio.get_running_loop().run_in_executor(
                self._executor, _first_match, secret, hashes, stop_at_match
            )
            self._running[key] = running
            running.add_done_callback(lambda _: self._running.pop(key, None))
        return await asyncio.shield(running)

    def _cache_key(self, secret: str, stored_hash: str) -> bytes:
        message = f"{len(secret)}:{secret}{stored_hash}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(message, key=self._key, digest_size=32).digest()


def _first_match(secret: str, hashes: tuple[str, ...], stop_at_match: bool) -> str | None:  # noqa: FBT001 (runs in a thread)
    """Return the hash that matches the secret, or None after exactly MAX_VALID_SECRETS computations."""
    matched: str | None = None
    for candidate in hashes[:MAX_VALID_SECRETS]:
        if verify_chosen_secret(secret, candidate) and matched is None:
            matched = candidate
            if stop_at_match:
                return matched
    for _ in range(MAX_VALID_SECRETS - len(hashes)):
        verify_chosen_secret(secret, decoy_hash())  # only for the time it takes; its result is ignored
    return matched
