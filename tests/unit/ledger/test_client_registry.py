"""Use case: register clients and change them."""

import asyncio
from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from ledger.domain.client import MAX_VALID_SECRETS
from ledger.domain.errors import InvalidRegistration, UnknownClient
from ledger.domain.secrets import MAX_SECRET_CHARACTERS, verify_chosen_secret, verify_generated_secret
from tests.builders import NOW, seconds, settings, use_cheap_argon2
from tests.in_memory_issuer import OPERATOR


@pytest.fixture
def registry(ledger):
    return ledger.issuer.registry


@pytest.fixture(autouse=True)
def _cheap_argon2(monkeypatch):
    use_cheap_argon2(monkeypatch)


class TestRegister:
    async def test_client_is_in_log_and_view_with_its_cause(self, ledger, registry):
        registered = await registry.register("shop", settings(), OPERATOR)

        assert await ledger.clients.get("shop") == registered == await registry.load("shop")
        assert [(row.topic, row.actor) for row in ledger.log] == [("client.registered", "operator:ana")]

    async def test_registration_is_refused_when_the_id_is_taken(self, ledger, registry):
        await registry.register("shop", settings(), OPERATOR)

        with pytest.raises(InvalidRegistration, match="client 'shop' is registered already"):
            await registry.register("shop", settings(name="Another"), OPERATOR)
        assert (await registry.load("shop")).settings.name == "Shop"

    async def test_one_of_two_registrations_is_refused_when_concurrent(self, ledger, registry):
        results = await asyncio.gather(
            *(registry.register("shop", settings(name=name), OPERATOR) for name in ("One", "Two")),
            return_exceptions=True,
        )

        assert [type(result).__name__ for result in results] == ["Client", "InvalidRegistration"]
        assert ledger.topics == ["client.registered"]

    async def test_nothing_is_recorded_when_refused(self, ledger, registry):
        with pytest.raises(InvalidRegistration, match="scopes"):
            await registry.register("shop", settings(scopes=("a b",)), OPERATOR)
        assert ledger.log == []

    async def test_no_client_is_loaded_when_never_registered(self, registry):
        assert await registry.load("ghost") is None


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
async def test_change_is_refused_when_the_client_is_unknown(ledger, registry, change):
    with pytest.raises(UnknownClient, match="no client 'ghost' is registered"):
        await change(registry)
    assert ledger.log == []


@pytest.fixture
async def shop(registry):
    return await registry.register("shop", settings(), OPERATOR)


@pytest.mark.usefixtures("shop")
class TestChange:
    async def test_update_replaces_the_settings(self, ledger, registry):
        updated = await registry.update("shop", settings(scopes=("read",)), OPERATOR)

        assert updated.settings.scopes == ("read",)
        assert await ledger.clients.get("shop") == updated

    async def test_disable_and_enable_are_recorded_once_when_repeated(self, ledger, registry):
        for _ in range(2):
            assert not (await registry.disable("shop", "compromised", OPERATOR)).enabled
        for _ in range(2):
            assert (await registry.enable("shop", OPERATOR)).enabled

        assert ledger.topics == ["client.registered", "client.disabled", "client.enabled"]

    async def test_decision_is_taken_again_when_another_change_came_first(self, ledger, registry, before_write):
        other = replace(registry)
        before_write(other, lambda: registry.disable("shop", "first", OPERATOR))

        changed = await other.update("shop", settings(name="Renamed"), OPERATOR)

        assert (changed.version, changed.enabled, changed.settings.name) == (3, False, "Renamed")
        assert await ledger.clients.get("shop") == changed

        same = replace(registry)
        before_write(same, lambda: registry.enable("shop", OPERATOR))
        assert (await same.enable("shop", OPERATOR)).enabled
        assert ledger.topics[1:] == ["client.disabled", "client.updated", "client.enabled"]


@pytest.mark.usefixtures("shop")
class TestSecrets:
    async def test_secret_is_recorded_as_its_hash_only(self, ledger, registry):
        generated_id, secret = await registry.add_generated_secret("shop", OPERATOR, NOW + seconds(60))
        chosen_id = await registry.add_chosen_secret("shop", "correct horse", OPERATOR)

        generated, chosen = (await registry.load("shop")).secrets
        assert (generated.secret_id, generated.kind, generated.expires_at) == (
            generated_id,
            "sha256",
            NOW + seconds(60),
        )
        assert (chosen.secret_id, chosen.kind, chosen.expires_at) == (chosen_id, "argon2id", None)
        assert verify_generated_secret(secret, generated)
        assert verify_chosen_secret("correct horse", chosen.hash)
        for text in (secret.encode(), b"correct horse"):
            assert all(text not in row.payload for row in ledger.log)

    @pytest.mark.parametrize("length", [0, 7, MAX_SECRET_CHARACTERS + 1])
    async def test_chosen_secret_is_refused_but_not_shown_beyond_the_limits(self, registry, length):
        with pytest.raises(InvalidRegistration, match="must be 8 to 1024 characters long") as refused:
            await registry.add_chosen_secret("shop", "x" * length, OPERATOR)
        assert length == 0 or "x" * length not in str(refused.value)
        for limit in (8, MAX_SECRET_CHARACTERS):
            assert await registry.add_chosen_secret("shop", "x" * limit, OPERATOR)

    async def test_limit_of_valid_secrets_holds_when_added_concurrently(self, registry):
        results = await asyncio.gather(
            *(registry.add_generated_secret("shop", OPERATOR) for _ in range(5)), return_exceptions=True
        )

        assert sum(isinstance(result, InvalidRegistration) for result in results) == 5 - MAX_VALID_SECRETS
        secrets = (await registry.load("shop")).secrets
        assert len({stored.secret_id for stored in secrets}) == len(secrets) == MAX_VALID_SECRETS

    async def test_secret_is_retired_now_or_at_a_later_instant(self, ledger, registry):
        one, _ = await registry.add_generated_secret("shop", OPERATOR)
        two, _ = await registry.add_generated_secret("shop", OPERATOR)

        await registry.retire_secret("shop", one, OPERATOR)
        changed = await registry.retire_secret("shop", two, OPERATOR, NOW + seconds(3600))

        assert [stored.expires_at for stored in changed.secrets] == [NOW, NOW + seconds(3600)]
        assert await ledger.clients.get("shop") == changed

    @pytest.mark.parametrize(
        "record",
        [
            lambda registry, end: registry.add_generated_secret("shop", OPERATOR, end),
            lambda registry, end: registry.add_chosen_secret("shop", "correct horse", OPERATOR, end),
        ],
        ids=["generated", "chosen"],
    )
    async def test_end_is_recorded_in_utc_when_given_in_another_zone(self, ledger, registry, record):
        end = (NOW + seconds(3600)).astimezone(timezone(timedelta(hours=-5)))

        await record(registry, end)

        assert b'"expires_at":"2024-05-06T08:08:09Z"' in ledger.log[-1].payload
