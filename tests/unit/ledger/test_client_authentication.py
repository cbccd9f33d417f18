"""Use case: authenticate a client by its secret, what is cached, and what a refusal costs."""

import asyncio
from concurrent.futures import Future

import pytest
from argon2 import PasswordHasher
from argon2.low_level import Type
from msgspec.structs import replace

from ledger.domain import secrets as client_secrets
from ledger.domain.client import MAX_VALID_SECRETS
from ledger.domain.errors import InvalidClient, Unavailable
from ledger.domain.secrets import MAX_SECRET_CHARACTERS, hash_chosen_secret, hash_generated_secret
from ledger.use_cases import client_authentication
from ledger.use_cases.client_authentication import ClientAuthentication
from tests.builders import NOW, FakeClock, ImmediateExecutor, client, seconds, use_cheap_argon2

REAL_DECOY = client_secrets.decoy_hash()
DECOY_SECRET = "behind the decoy"


@pytest.fixture(autouse=True)
def _cheap_argon2(monkeypatch):
    use_cheap_argon2(monkeypatch, DECOY_SECRET)


class HeldExecutor(ImmediateExecutor):
    """Runs work at once, or, while `held` is a list, when the test releases it."""

    def __init__(self):
        self.held = None

    def submit(self, function, /, *args, **kwargs):
        if self.held is None:
            return super().submit(function, *args, **kwargs)
        future = Future()
        self.held.append((future, function, args))
        return future

    def release(self):
        held, self.held = self.held, None
        for future, function, args in held:
            future.set_result(function(*args))


class Clients(dict):
    async def get(self, client_id):
        return super().get(client_id)


class World:
    """Clients and their authentication."""

    def __init__(self, **options):
        self.clock = FakeClock()
        self.executor = HeldExecutor()
        self.clients = Clients()
        self.authentication = ClientAuthentication(
            clients=self.clients,
            verifications=self.executor,
            clock=self.clock,
            random_bytes=lambda n: b"k" * n,
            **options,
        )
        self.authenticate = self.authentication.authenticate

    def add(self, client_id, *secrets, enabled=True):
        self.clients[client_id] = client(client_id, secrets=secrets, enabled=enabled)
        return self.clients[client_id]

    def change(self, client_id, **changes):
        self.clients[client_id] = replace(self.clients[client_id], **changes)

    async def refuses(self, client_id, secret):
        with pytest.raises(InvalidClient):
            await self.authenticate(client_id, secret)

    async def hold(self, *credentials):
        """Start authentications and hold their computations back."""
        self.executor.held = []
        waiting = [asyncio.create_task(self.authenticate(*pair)) for pair in credentials]
        await asyncio.sleep(0)
        return waiting


@pytest.fixture
def world():
    return World()


@pytest.fixture
def computations(monkeypatch):
    counted = []
    compute = client_authentication.verify_chosen_secret

    def counting(secret, stored_hash):
        counted.append(stored_hash)
        return compute(secret, stored_hash)

    monkeypatch.setattr(client_authentication, "verify_chosen_secret", counting)
    return counted


def chosen(secret, secret_id="1", expires_at=None):
    return hash_chosen_secret(secret, secret_id=secret_id, salt=secret_id.encode() * 16, now=NOW, expires_at=expires_at)


def generated(secret, secret_id="1", expires_at=None):
    return hash_generated_secret(secret, secret_id=secret_id, now=NOW, expires_at=expires_at)


both_kinds = pytest.mark.parametrize("store", [chosen, generated])


class TestAccepts:
    @pytest.mark.parametrize("store_old", [chosen, generated])
    @pytest.mark.parametrize("store_new", [chosen, generated])
    async def test_either_secret_of_a_rotation(self, world, store_old, store_new):
        app = world.add("app", store_old("the old one", "1"), store_new("the new one", "2"))
        assert await world.authenticate("app", "the old one") is app
        assert await world.authenticate("app", "the new one") is app

    @both_kinds
    async def test_secret_until_the_instant_it_ends(self, world, store):
        app = world.add("app", store("right secret", expires_at=NOW + seconds(10)))
        world.clock.advance(9.999)
        assert await world.authenticate("app", "right secret") is app
        world.clock.advance(0.001)
        await world.refuses("app", "right secret")

    @pytest.mark.parametrize(
        "secret", ["wörd 💥 \ud800", "s" * MAX_SECRET_CHARACTERS], ids=["any characters", "longest"]
    )
    async def test_unusual_secret_but_not_one_that_only_starts_with_it(self, world, secret):
        world.add("app", chosen(secret))
        await world.authenticate("app", secret)
        await world.refuses("app", secret + "x")


class TestRefuses:
    @pytest.mark.parametrize(
        "stored", [(), (generated("right"),), (chosen("right"),)], ids=["none", "generated", "chosen"]
    )
    @pytest.mark.parametrize("secret", ["", "wrong", "right ", "Right", generated("right").hash, DECOY_SECRET])
    async def test_wrong_secret_and_that_of_the_decoy(self, world, stored, secret):
        world.add("app", *stored)
        await world.refuses("app", secret)

    @both_kinds
    @pytest.mark.parametrize(
        "change", [{"enabled": False}, {"secrets": (chosen("another", "2"),)}], ids=["disabled", "removed"]
    )
    async def test_secret_accepted_earlier_while_disabled_or_removed(self, world, store, change):
        app = world.add("app", store("right secret"))
        await world.authenticate("app", "right secret")
        world.change("app", **change)
        await world.refuses("app", "right secret")
        world.clients["app"] = app
        await world.authenticate("app", "right secret")

    async def test_secret_of_another_client(self, world):
        world.add("app", chosen("right secret"))
        world.add("app2", chosen("right secret of app2"))
        await world.authenticate("app", "right secret")
        await world.refuses("app2", "right secret")

    @pytest.mark.parametrize("secret", ["", "no client has this secret"])
    async def test_guess_at_the_real_decoy(self, world, secret, monkeypatch):
        monkeypatch.setattr(client_secrets, "_DECOY", REAL_DECOY)
        assert not client_secrets.verify_chosen_secret(secret, client_secrets.decoy_hash())
        world.add("app")
        await world.refuses("app", secret)


class TestCosts:
    def test_decoy_has_the_parameters_of_a_chosen_secret(self):
        real = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, type=Type.ID)
        assert not real.check_needs_rehash(REAL_DECOY)

    @pytest.mark.parametrize(
        "stored",
        [
            (),
            (generated("g"),),
            (chosen("c"),),
            (chosen("c", "1"), chosen("d", "2")),
            (chosen("c"), generated("g", "2")),
        ],
        ids=["none", "generated", "chosen", "two chosen", "one of each"],
    )
    @pytest.mark.parametrize(("secret", "enabled"), [("wrong", True), ("wrong", False), ("c", False), ("d", False)])
    async def test_refusal_costs_the_same_as_of_an_unknown_client(self, world, computations, stored, secret, enabled):
        world.add("app", *stored, enabled=enabled)
        await world.refuses("app", secret)
        assert len(computations) == MAX_VALID_SECRETS
        await world.refuses("unknown-client", secret)
        assert len(computations) == 2 * MAX_VALID_SECRETS

    async def test_generated_secret_costs_no_argon2(self, world, computations):
        world.add("app", generated("g"))
        await world.authenticate("app", "g")
        assert computations == []

    async def test_success_is_cached_and_a_failure_is_not(self, world, computations):
        world.add("app", chosen("c"))
        for _ in range(3):
            await world.authenticate("app", "c")
        assert len(computations) == 1
        for attempts in (1, 2):
            await world.refuses("app", "wrong")
            assert len(computations) == 1 + MAX_VALID_SECRETS * attempts


class TestCache:
    async def test_least_recently_used_entry_is_evicted_when_full(self, computations):
        world = World(max_cached=2)
        for client_id in ("a", "b", "c"):
            world.add(client_id, chosen(f"secret of {client_id}", client_id))
        for client_id in ("a", "b", "a", "c"):
            await world.authenticate(client_id, f"secret of {client_id}")
        computations.clear()
        await world.authenticate("a", "secret of a")
        await world.authenticate("c", "secret of c")
        assert computations == []
        await world.authenticate("b", "secret of b")
        assert len(computations) == 1

    async def test_cache_holds_neither_secret_nor_hash(self, world):
        stored = chosen("right secret")
        world.add("app", stored)
        await world.authenticate("app", "right secret")
        (key,) = world.authentication._cache
        assert len(key) == 32
        assert b"right secret" not in key
        assert stored.hash.encode() not in key


class TestOverload:
    async def test_request_is_unavailable_when_too_many_wait_unless_cached(self):
        world = World(max_waiting=1)
        world.add("app", chosen("c"))
        await world.authenticate("app", "c")
        (waiting,) = await world.hold(("unknown-client", "wrong"))
        with pytest.raises(Unavailable):
            await world.authenticate("unknown-client", "wrong too")
        await world.authenticate("app", "c")
        world.executor.release()
        with pytest.raises(InvalidClient):
            await waiting
        await world.refuses("unknown-client", "wrong")  # the place is free again

    async def test_secret_is_computed_once_when_sent_many_times_at_once(self, computations):
        world = World(max_waiting=1)
        app = world.add("app", chosen("c"))
        waiting = await world.hold(*[("app", "c")] * 50)
        world.executor.release()
        assert await asyncio.gather(*waiting) == [app] * 50
        assert len(computations) == 1

    @pytest.mark.parametrize("known", [(), ("app",), ("app", "app2")])
    async def test_clients_share_no_computation_known_or_unknown(self, world, computations, known):
        for client_id in known:
            world.add(client_id)
        waiting = await world.hold(("app", "wrong"), ("app2", "wrong"))
        world.executor.release()
        refused = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(refusal) for refusal in refused] == [InvalidClient] * 2
        assert len(computations) == 2 * MAX_VALID_SECRETS

    async def test_computation_completes_when_one_of_its_callers_is_cancelled(self):
        world = World(max_waiting=1)
        app = world.add("app", chosen("c"))
        cancelled, waiting = await world.hold(*[("app", "c")] * 2)
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        world.executor.release()
        assert await waiting is app
        await world.refuses("unknown-client", "wrong")  # the place is free again
