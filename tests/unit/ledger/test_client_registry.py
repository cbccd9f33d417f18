"""Use case: register clients and change them."""

import asyncio
from datetime import timedelta, timezone

import pytest

from ledger.domain import secrets as client_secrets
from ledger.domain.client import MAX_VALID_SECRETS
from ledger.domain.errors import InvalidRegistration, Unavailable, UnknownClient
from ledger.domain.secrets import MAX_SECRET_CHARACTERS, verify_chosen_secret, verify_generated_secret
from ledger.use_cases.client_registry import ClientRegistry
from tests.builders import CHEAP_ARGON2, NOW, seconds, settings
from tests.in_memory_issuer import OPERATOR, HookedWriter


@pytest.fixture
def registry(ledger):
    return ledger.issuer.registry


@pytest.fixture
def hooked(ledger):
    """A registry before whose writes something else may happen."""
    writer = HookedWriter(ledger.writer)
    return writer, ClientRegistry(
        streams=ledger.event_log,
        writer=writer,
        mapper=ledger.mapper,
        clock=ledger.clock,
        random_bytes=ledger.random_bytes,
    )


@pytest.fixture(autouse=True)
def _cheap_secrets(monkeypatch):
    monkeypatch.setattr(client_secrets, "_argon2", CHEAP_ARGON2)


class TestRegistering:
    async def test_a_registered_client_is_in_the_log_and_in_the_view_with_who_made_it(self, ledger, registry):
        registered = await registry.register("shop", settings(), OPERATOR)

        assert await ledger.clients.get("shop") == registered == await registry.load("shop")
        assert [(row.topic, row.actor) for row in ledger.log] == [("client.registered", "operator:ana")]

    async def test_an_id_is_registered_once(self, ledger, registry):
        await registry.register("shop", settings(), OPERATOR)

        with pytest.raises(InvalidRegistration, match="client 'shop' is registered already"):
            await registry.register("shop", settings(name="Another"), OPERATOR)
        assert (await registry.load("shop")).settings.name == "Shop"

    async def test_of_two_at_once_one_is_registered(self, ledger, registry):
        results = await asyncio.gather(
            *(registry.register("shop", settings(name=name), OPERATOR) for name in ("One", "Two")),
            return_exceptions=True,
        )

        assert [type(result).__name__ for result in results] == ["Client", "InvalidRegistration"]
        assert ledger.topics == ["client.registered"]

    async def test_what_is_refused_is_not_recorded(self, ledger, registry):
        with pytest.raises(InvalidRegistration, match="scopes"):
            await registry.register("shop", settings(scopes=("a b",)), OPERATOR)
        assert ledger.log == []


class TestChanging:
    async def test_an_update_replaces_the_settings(self, ledger, registry):
        await registry.register("shop", settings(), OPERATOR)

        updated = await registry.update("shop", settings(scopes=("read",)), OPERATOR)

        assert updated.settings.scopes == ("read",)
        assert await ledger.clients.get("shop") == updated

    async def test_the_same_settings_record_nothing(self, ledger, registry):
        await registry.register("shop", settings(), OPERATOR)

        await registry.update("shop", settings(), OPERATOR)

        assert ledger.topics == ["client.registered"]

    async def test_disabling_and_enabling_are_recorded_once_each(self, ledger, registry):
        await registry.register("shop", settings(), OPERATOR)

        for _ in range(2):
            assert not (await registry.disable("shop", "compromised", OPERATOR)).enabled
        for _ in range(2):
            assert (await registry.enable("shop", OPERATOR)).enabled

        assert ledger.topics == ["client.registered", "client.disabled", "client.enabled"]

    @pytest.mark.parametrize(
        "change",
        [
            lambda registry: registry.update("ghost", settings(), OPERATOR),
            lambda registry: registry.disable("ghost", "gone", OPERATOR),
            lambda registry: registry.enable("ghost", OPERATOR),
            lambda registry: registry.add_generated_secret("ghost", OPERATOR),
            lambda registry: registry.add_chosen_secret("ghost", "long enough", OPERATOR),
            lambda registry: registry.retire_secret("ghost", "s1", OPERATOR),
        ],
        ids=["update", "disable", "enable", "generated secret", "chosen secret", "retire"],
    )
    async def test_a_client_that_is_not_registered_cannot_be_changed(self, ledger, registry, change):
        with pytest.raises(UnknownClient, match="no client 'ghost' is registered"):
            await change(registry)
        assert ledger.log == []

    async def test_a_change_that_came_between_is_decided_on_again(self, ledger, registry, hooked):
        writer, other = hooked
        await registry.register("shop", settings(), OPERATOR)
        writer.hooks.append(lambda: registry.disable("shop", "first", OPERATOR))

        changed = await other.update("shop", settings(name="Renamed"), OPERATOR)

        assert (changed.version, changed.enabled, changed.settings.name) == (3, False, "Renamed")
        assert await ledger.clients.get("shop") == changed

    async def test_nothing_is_recorded_when_another_did_the_same_between(self, ledger, registry, hooked):
        writer, other = hooked
        await registry.register("shop", settings(), OPERATOR)
        writer.hooks.append(lambda: registry.disable("shop", "first", OPERATOR))

        assert not (await other.disable("shop", "second", OPERATOR)).enabled

        assert ledger.topics == ["client.registered", "client.disabled"]

    async def test_unavailable_is_passed_on(self, ledger, registry):
        await ledger.writer.close()

        with pytest.raises(Unavailable):
            await registry.register("shop", settings(), OPERATOR)


class TestSecrets:
    async def test_a_generated_secret_is_shown_once_and_only_its_hash_is_recorded(self, ledger, registry):
        await registry.register("shop", settings(), OPERATOR)

        secret_id, secret = await registry.add_generated_secret("shop", OPERATOR, NOW + seconds(60))

        (stored,) = (await registry.load("shop")).secrets
        assert (stored.secret_id, stored.kind, stored.expires_at) == (secret_id, "sha256", NOW + seconds(60))
        assert verify_generated_secret(secret, stored)
        assert all(secret.encode() not in row.payload for row in ledger.log)

    async def test_a_chosen_secret_is_kept_as_argon2id(self, ledger, registry):
        await registry.register("shop", settings(), OPERATOR)

        secret_id = await registry.add_chosen_secret("shop", "correct horse", OPERATOR)

        (stored,) = (await registry.load("shop")).secrets
        assert (stored.secret_id, stored.kind, stored.expires_at) == (secret_id, "argon2id", None)
        assert verify_chosen_secret("correct horse", stored.hash)
        assert all(b"correct horse" not in row.payload for row in ledger.log)

    @pytest.mark.parametrize("secret", ["", "1234567", "x" * (MAX_SECRET_CHARACTERS + 1)], ids=len)
    async def test_a_chosen_secret_too_short_or_too_long_is_refused_without_repeating_it(self, registry, secret):
        await registry.register("shop", settings(), OPERATOR)

        with pytest.raises(InvalidRegistration, match="must be 8 to 1024 characters long") as refused:
            await registry.add_chosen_secret("shop", secret, OPERATOR)
        assert not secret or secret not in str(refused.value)

    @pytest.mark.parametrize("length", [8, MAX_SECRET_CHARACTERS])
    async def test_the_shortest_and_the_longest_chosen_secret(self, registry, length):
        await registry.register("shop", settings(), OPERATOR)

        assert await registry.add_chosen_secret("shop", "x" * length, OPERATOR)

    async def test_two_at_once_never_pass_the_bound(self, ledger, registry):
        await registry.register("shop", settings(), OPERATOR)

        results = await asyncio.gather(
            *(registry.add_generated_secret("shop", OPERATOR) for _ in range(5)), return_exceptions=True
        )

        assert sum(isinstance(result, InvalidRegistration) for result in results) == 5 - MAX_VALID_SECRETS
        assert len((await registry.load("shop")).secrets) == MAX_VALID_SECRETS

    async def test_ids_of_secrets_differ(self, registry):
        await registry.register("shop", settings(), OPERATOR)

        ids = [(await registry.add_generated_secret("shop", OPERATOR))[0] for _ in range(2)]

        assert len(set(ids)) == 2

    async def test_a_secret_is_retired_now_or_at_an_instant_ahead(self, ledger, registry):
        await registry.register("shop", settings(), OPERATOR)
        one, _ = await registry.add_generated_secret("shop", OPERATOR)
        two, _ = await registry.add_generated_secret("shop", OPERATOR)

        await registry.retire_secret("shop", one, OPERATOR)
        changed = await registry.retire_secret("shop", two, OPERATOR, NOW + seconds(3600))

        assert [stored.expires_at for stored in changed.secrets] == [NOW, NOW + seconds(3600)]
        assert await ledger.clients.get("shop") == changed

    async def test_retiring_a_secret_twice_is_recorded_once(self, ledger, registry):
        await registry.register("shop", settings(), OPERATOR)
        secret_id, _ = await registry.add_generated_secret("shop", OPERATOR)

        for _ in range(2):
            await registry.retire_secret("shop", secret_id, OPERATOR)

        assert ledger.topics[2:] == ["client.secret_retired"]

    @pytest.mark.parametrize("kind", ["generated", "chosen"])
    async def test_an_end_in_another_zone_is_recorded_in_utc(self, ledger, registry, kind):
        end = (NOW + seconds(3600)).astimezone(timezone(timedelta(hours=-5)))
        await registry.register("shop", settings(), OPERATOR)

        if kind == "generated":
            await registry.add_generated_secret("shop", OPERATOR, end)
        else:
            await registry.add_chosen_secret("shop", "correct horse", OPERATOR, end)

        assert b'"expires_at":"2024-05-06T08:08:09Z"' in ledger.log[-1].payload


async def test_a_client_that_was_never_registered_does_not_load(registry):
    assert await registry.load("ghost") is None
