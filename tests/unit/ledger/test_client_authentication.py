"""ledger.use_cases.client_authentication: who is let in, what is remembered, and what a refusal costs."""

import asyncio
from concurrent.futures import Executor, Future
from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher
from argon2.low_level import Type
from msgspec.structs import replace

from ledger.domain import secrets as client_secrets
from ledger.domain.client import MAX_VALID_SECRETS, Client
from ledger.domain.errors import InvalidClient, Unavailable
from ledger.domain.events import ClientSettings
from ledger.domain.identifiers import client_stream_id
from ledger.domain.secrets import MAX_SECRET_CHARACTERS, hash_chosen_secret, hash_generated_secret
from ledger.use_cases import client_authentication
from ledger.use_cases.client_authentication import ClientAuthentication

REAL_DECOY = client_secrets.decoy_hash()
DECOY_SECRET = "behind the decoy"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _cheap_argon2(monkeypatch):
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1, hash_len=32, type=Type.ID)
    monkeypatch.setattr(client_secrets, "_argon2", cheap)
    monkeypatch.setattr(client_secrets, "_DECOY", cheap.hash(DECOY_SECRET.encode(), salt=bytes(16)))


class Inline(Executor):
    """Runs what it is given at once, and can be told to hold it back."""

    def __init__(self):
        self.held = None

    def submit(self, function, /, *args, **kwargs):
        future = Future()
        if self.held is None:
            future.set_result(function(*args, **kwargs))
        else:
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
    def __init__(self, **options):
        self.now = NOW
        self.executor = Inline()
        self.clients = Clients()
        self.authentication = ClientAuthentication(
            clients=self.clients,
            verifications=self.executor,
            clock=lambda: self.now,
            random_bytes=lambda n: b"k" * n,
            **options,
        )
        self.authenticate = self.authentication.authenticate

    def add(self, client_id, *secrets, enabled=True):
        client = Client(
            id=client_stream_id(client_id),
            version=1,
            client_id=client_id,
            settings=ClientSettings(name=client_id),
            secrets=secrets,
            enabled=enabled,
        )
        self.clients[client_id] = client
        return client

    def change(self, client_id, **changes):
        self.clients[client_id] = replace(self.clients[client_id], **changes)


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


class TestLetsIn:
    @pytest.mark.parametrize("keep", [chosen, generated])
    async def test_an_enabled_client_with_its_secret(self, world, keep):
        client = world.add("app", keep("right secret"))
        assert await world.authenticate("app", "right secret") is client

    @pytest.mark.parametrize("keep_old", [chosen, generated])
    @pytest.mark.parametrize("keep_new", [chosen, generated])
    async def test_with_either_secret_of_a_rotation(self, world, keep_old, keep_new):
        client = world.add("app", keep_old("the old one", "1"), keep_new("the new one", "2"))
        assert await world.authenticate("app", "the old one") is client
        assert await world.authenticate("app", "the new one") is client

    @pytest.mark.parametrize("keep", [chosen, generated])
    async def test_until_the_instant_the_secret_ends(self, world, keep):
        world.add("app", keep("right secret", expires_at=NOW + timedelta(seconds=10)))
        world.now += timedelta(seconds=9.999)
        await world.authenticate("app", "right secret")
        world.now += timedelta(seconds=0.001)
        with pytest.raises(InvalidClient):
            await world.authenticate("app", "right secret")

    async def test_with_a_secret_of_any_characters(self, world):
        world.add("app", chosen("wörd 💥 \ud800"))
        await world.authenticate("app", "wörd 💥 \ud800")

    async def test_with_the_longest_secret_but_not_with_one_that_only_begins_so(self, world):
        world.add("app", chosen("s" * MAX_SECRET_CHARACTERS))
        await world.authenticate("app", "s" * MAX_SECRET_CHARACTERS)
        with pytest.raises(InvalidClient):
            await world.authenticate("app", "s" * MAX_SECRET_CHARACTERS + "x")


class TestRefuses:
    @pytest.mark.parametrize("keep", [chosen, generated])
    @pytest.mark.parametrize("secret", ["", "wrong", "right secret ", "Right secret"])
    async def test_a_wrong_secret(self, world, keep, secret):
        world.add("app", keep("right secret"))
        with pytest.raises(InvalidClient):
            await world.authenticate("app", secret)

    async def test_the_hash_in_place_of_the_secret(self, world):
        stored = generated("right secret")
        world.add("app", stored)
        with pytest.raises(InvalidClient):
            await world.authenticate("app", stored.hash)

    @pytest.mark.parametrize("keep", [chosen, generated])
    async def test_a_disabled_client_at_once_even_after_it_was_let_in(self, world, keep):
        world.add("app", keep("right secret"))
        await world.authenticate("app", "right secret")
        world.change("app", enabled=False)
        with pytest.raises(InvalidClient):
            await world.authenticate("app", "right secret")
        world.change("app", enabled=True)
        await world.authenticate("app", "right secret")

    async def test_a_secret_that_was_taken_away_even_after_it_was_remembered(self, world):
        world.add("app", chosen("right secret"))
        await world.authenticate("app", "right secret")
        world.change("app", secrets=(chosen("another one", "2"),))
        with pytest.raises(InvalidClient):
            await world.authenticate("app", "right secret")

    async def test_the_secret_of_another_client(self, world):
        world.add("app", chosen("right secret"))
        world.add("app2", chosen("right secret of app2"))
        await world.authenticate("app", "right secret")
        with pytest.raises(InvalidClient):
            await world.authenticate("app2", "right secret")

    @pytest.mark.parametrize("stored", [(), (generated("g"),), (chosen("c"),)], ids=["none", "generated", "chosen"])
    async def test_the_secret_behind_the_decoy_even_if_somebody_knew_it(self, world, stored):
        world.add("app", *stored)
        with pytest.raises(InvalidClient):
            await world.authenticate("app", DECOY_SECRET)

    @pytest.mark.parametrize("secret", ["", "no client has this secret"])
    async def test_guesses_at_the_real_decoy(self, world, secret, monkeypatch):
        monkeypatch.setattr(client_secrets, "_DECOY", REAL_DECOY)
        assert not client_secrets.verify_chosen_secret(secret, client_secrets.decoy_hash())
        world.add("app")
        with pytest.raises(InvalidClient):
            await world.authenticate("app", secret)


def test_the_decoy_takes_the_same_parameters_as_a_chosen_secret():
    real = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, type=Type.ID)
    assert not real.check_needs_rehash(REAL_DECOY)


class TestCosts:
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
    @pytest.mark.parametrize("enabled", [True, False])
    async def test_a_refusal_is_as_much_work_whatever_the_client_has(self, world, computations, stored, enabled):
        world.add("app", *stored, enabled=enabled)
        with pytest.raises(InvalidClient):
            await world.authenticate("app", "wrong")
        assert len(computations) == MAX_VALID_SECRETS

    async def test_an_unknown_client_is_as_much_work(self, world, computations):
        with pytest.raises(InvalidClient):
            await world.authenticate("nobody", "wrong")
        assert len(computations) == MAX_VALID_SECRETS

    @pytest.mark.parametrize("secret", ["c", "d"])
    async def test_a_right_secret_of_a_disabled_client_is_as_much_work(self, world, computations, secret):
        world.add("app", chosen("c", "1"), chosen("d", "2"), enabled=False)
        with pytest.raises(InvalidClient):
            await world.authenticate("app", secret)
        assert len(computations) == MAX_VALID_SECRETS

    async def test_a_generated_secret_is_checked_without_argon2(self, world, computations):
        world.add("app", generated("g"))
        await world.authenticate("app", "g")
        assert computations == []

    async def test_a_chosen_secret_is_computed_once_and_remembered(self, world, computations):
        world.add("app", chosen("c"))
        for _ in range(3):
            await world.authenticate("app", "c")
        assert len(computations) == 1

    async def test_a_failure_is_not_remembered(self, world, computations):
        world.add("app", chosen("c"))
        for attempts in (1, 2):
            with pytest.raises(InvalidClient):
                await world.authenticate("app", "wrong")
            assert len(computations) == MAX_VALID_SECRETS * attempts


class TestMemory:
    async def test_forgets_the_one_not_used_for_longest(self, computations):
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

    async def test_holds_neither_secret_nor_hash(self, world):
        stored = chosen("right secret")
        world.add("app", stored)
        await world.authenticate("app", "right secret")
        (key,) = world.authentication._cache
        assert len(key) == 32
        assert b"right secret" not in key
        assert stored.hash.encode() not in key


class TestOverload:
    async def test_beyond_the_bound_is_unavailable_at_once_and_remembered_clients_are_still_served(self):
        world = World(max_waiting=1)
        world.add("app", chosen("c"))
        await world.authenticate("app", "c")
        world.executor.held = []
        waiting = asyncio.create_task(world.authenticate("nobody", "wrong"))
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            await world.authenticate("nobody", "wrong too")
        await world.authenticate("app", "c")
        world.executor.release()
        with pytest.raises(InvalidClient):
            await waiting
        with pytest.raises(InvalidClient):  # the place is free again
            await world.authenticate("nobody", "wrong")

    async def test_one_secret_presented_by_many_at_once_is_computed_once(self, computations):
        world = World(max_waiting=1)
        client = world.add("app", chosen("c"))
        world.executor.held = []
        waiting = [asyncio.create_task(world.authenticate("app", "c")) for _ in range(50)]
        await asyncio.sleep(0)
        world.executor.release()
        assert await asyncio.gather(*waiting) == [client] * 50
        assert len(computations) == 1

    @pytest.mark.parametrize("known", [(), ("app",), ("app", "app2")])
    async def test_clients_share_no_computation_so_that_a_crowd_of_ids_tells_nothing(self, computations, known):
        world = World()
        for client_id in known:
            world.add(client_id)
        world.executor.held = []
        waiting = [asyncio.create_task(world.authenticate(client_id, "wrong")) for client_id in ("app", "app2")]
        await asyncio.sleep(0)
        world.executor.release()
        refused = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(refusal) for refusal in refused] == [InvalidClient] * 2
        assert len(computations) == 2 * MAX_VALID_SECRETS

    async def test_a_caller_that_leaves_does_not_take_the_computation_from_the_others(self):
        world = World(max_waiting=1)
        client = world.add("app", chosen("c"))
        world.executor.held = []
        leaving, staying = (asyncio.create_task(world.authenticate("app", "c")) for _ in range(2))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        world.executor.release()
        assert await staying is client
        with pytest.raises(InvalidClient):  # the place is free again
            await world.authenticate("nobody", "wrong")
