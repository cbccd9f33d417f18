"""The Client aggregate: every decision, every fold."""

from datetime import timedelta, timezone

import pytest

from ledger.domain.client import MAX_VALID_SECRETS, fold_client, register
from ledger.domain.errors import InvalidRegistration
from ledger.domain.events import (
    ClientDisabled,
    ClientEnabled,
    ClientRegistered,
    ClientSecretAdded,
    ClientSecretRetired,
    ClientUpdated,
)
from ledger.domain.identifiers import client_stream_id
from tests.builders import NOW, client, seconds, settings, stored_secret, stream_of, token_issued

REGISTERED = ClientRegistered(client_id="shop", settings=settings(), registered_at=NOW)
DISABLED = ClientDisabled(client_id="shop", disabled_at=NOW, reason="compromised")
ENABLED = ClientEnabled(client_id="shop", enabled_at=NOW)


def folded(*events):
    return fold_client(stream_of(client_stream_id("shop"), REGISTERED, *events))


class TestRegistering:
    def test_what_is_recorded(self):
        assert register("shop", settings(), now=NOW) == REGISTERED

    def test_the_id_is_checked(self):
        with pytest.raises(InvalidRegistration, match="client_id"):
            register("two words", settings(), now=NOW)

    def test_the_settings_are_checked(self):
        with pytest.raises(InvalidRegistration, match="name"):
            register("shop", settings(name=""), now=NOW)


class TestUpdating:
    def test_what_is_recorded(self):
        changed = settings(name="Other shop", access_token_lifetime=60)

        assert client().update(changed, now=NOW) == ClientUpdated(client_id="shop", settings=changed, updated_at=NOW)

    def test_the_same_settings_are_no_change(self):
        assert client().update(settings(), now=NOW) is None

    def test_the_settings_are_checked(self):
        with pytest.raises(InvalidRegistration, match="scopes"):
            client().update(settings(scopes=("a b",)), now=NOW)

    @pytest.mark.parametrize("demo", [True, False])
    def test_a_demo_client_stays_one_and_no_other_becomes_one(self, demo):
        with pytest.raises(InvalidRegistration, match="'demo' cannot be changed"):
            client(demo=demo).update(settings(demo=not demo), now=NOW)


class TestAddingASecret:
    def test_what_is_recorded(self):
        secret = stored_secret("s1", NOW + seconds(60))

        assert client().add_secret(secret, now=NOW) == ClientSecretAdded(client_id="shop", secret=secret)

    def test_two_may_be_valid_at_once(self):
        assert client(secrets=[stored_secret("s1")]).add_secret(stored_secret("s2"), now=NOW) is not None

    def test_a_third_valid_one_is_refused_and_the_way_out_is_named(self):
        full = client(secrets=[stored_secret(f"s{n}") for n in range(MAX_VALID_SECRETS)])

        with pytest.raises(InvalidRegistration, match=r"already has 2 valid secrets: retire one with 'token-ledger"):
            full.add_secret(stored_secret("new"), now=NOW)

    def test_ended_ones_do_not_count(self):
        ended = [stored_secret(f"s{n}", NOW) for n in range(5)]

        assert client(secrets=[*ended, stored_secret("s8")]).add_secret(stored_secret("s9"), now=NOW) is not None

    @pytest.mark.parametrize("expires_at", [None, NOW - seconds(1)], ids=["valid", "ended"])
    def test_an_id_that_was_ever_used_is_refused(self, expires_at):
        with pytest.raises(InvalidRegistration, match="already has a secret with id 's1'"):
            client(secrets=[stored_secret("s1", expires_at)]).add_secret(stored_secret("s1"), now=NOW)

    @pytest.mark.parametrize("before", [0, 1])
    def test_one_that_has_ended_already_is_refused(self, before):
        with pytest.raises(InvalidRegistration, match="which is past"):
            client().add_secret(stored_secret("s1", NOW - seconds(before)), now=NOW)


class TestRetiringASecret:
    def test_now(self):
        retired = client(secrets=[stored_secret("s1")]).retire_secret("s1", expires_at=NOW, now=NOW)

        assert retired == ClientSecretRetired(client_id="shop", secret_id="s1", expires_at=NOW)

    def test_at_an_instant_ahead_so_that_a_rotation_overlaps(self):
        later = NOW + seconds(3600)

        retired = client(secrets=[stored_secret("s1")]).retire_secret("s1", expires_at=later, now=NOW)

        assert retired.expires_at == later

    def test_an_instant_of_another_zone_is_recorded_in_utc(self):
        later = NOW + seconds(3600)
        elsewhere = later.astimezone(timezone(timedelta(hours=9)))

        retired = client(secrets=[stored_secret("s1")]).retire_secret("s1", expires_at=elsewhere, now=NOW)

        assert retired.expires_at.isoformat() == later.isoformat()

    def test_an_instant_in_the_past_means_now(self):
        secrets = [stored_secret("s1")]

        retired = client(secrets=secrets).retire_secret("s1", expires_at=NOW - seconds(60), now=NOW)

        assert retired.expires_at == NOW

    def test_an_end_can_be_brought_forward(self):
        secrets = [stored_secret("s1", NOW + seconds(60))]

        retired = client(secrets=secrets).retire_secret("s1", expires_at=NOW + seconds(30), now=NOW)

        assert retired.expires_at == NOW + seconds(30)

    @pytest.mark.parametrize("end", [0, 30, 60])
    def test_an_end_is_never_put_off(self, end):
        secrets = [stored_secret("s1", NOW + seconds(end))]

        assert client(secrets=secrets).retire_secret("s1", expires_at=NOW + seconds(60), now=NOW) is None

    def test_one_that_has_ended_stays_ended(self):
        secrets = [stored_secret("s1", NOW - seconds(60))]

        assert client(secrets=secrets).retire_secret("s1", expires_at=NOW, now=NOW) is None

    def test_one_that_does_not_exist_is_refused(self):
        with pytest.raises(InvalidRegistration, match="has no secret with id 's9'"):
            client(secrets=[stored_secret("s1")]).retire_secret("s9", expires_at=NOW, now=NOW)


class TestDisablingAndEnabling:
    def test_disabling_records_when_and_why(self):
        assert client().disable(now=NOW, reason="compromised") == DISABLED

    def test_a_disabled_client_is_not_disabled_again(self):
        assert client(enabled=False).disable(now=NOW, reason="again") is None

    def test_enabling_records_when(self):
        assert client(enabled=False).enable(now=NOW) == ENABLED

    def test_an_enabled_client_is_not_enabled_again(self):
        assert client().enable(now=NOW) is None


class TestValidSecrets:
    def test_a_secret_ends_at_the_instant_it_expires(self):
        secrets = [stored_secret("always"), stored_secret("until", NOW + seconds(60))]
        shop = client(secrets=secrets)

        assert [s.secret_id for s in shop.valid_secrets(NOW + seconds(59.999999))] == ["always", "until"]
        assert [s.secret_id for s in shop.valid_secrets(NOW + seconds(60))] == ["always"]


class TestMayIntrospect:
    @pytest.mark.parametrize(
        ("policy", "audience", "allowed"),
        [
            ("issuer", ("other",), True),
            ("issuer", ("shop",), True),
            ("audience", ("other", "shop"), True),
            ("audience", ("other",), False),
            ("audience", (), False),
            ("none", ("shop",), False),
        ],
    )
    def test_by_policy_and_audience(self, policy, audience, allowed):
        assert client(introspection=policy).may_introspect(audience) is allowed


class TestFolding:
    def test_an_empty_stream_is_no_client(self):
        assert fold_client([]) is None

    def test_a_registered_client_is_enabled_and_has_no_secret(self):
        assert folded() == client()

    def test_an_update_replaces_the_settings_whole(self):
        changed = settings(scopes=(), introspection="issuer")

        assert folded(ClientUpdated(client_id="shop", settings=changed, updated_at=NOW)) == client(
            version=2, scopes=(), introspection="issuer"
        )

    def test_secrets_are_kept_in_the_order_added(self):
        one, two = stored_secret("s1"), stored_secret("s2")
        added = [ClientSecretAdded(client_id="shop", secret=secret) for secret in (one, two)]

        assert folded(*added) == client(version=3, secrets=[one, two])

    def test_a_retired_secret_stays_for_the_record_with_its_end(self):
        one, two = stored_secret("s1"), stored_secret("s2")
        events = [
            ClientSecretAdded(client_id="shop", secret=one),
            ClientSecretAdded(client_id="shop", secret=two),
            ClientSecretRetired(client_id="shop", secret_id="s1", expires_at=NOW + seconds(60)),
        ]

        assert folded(*events) == client(version=4, secrets=[stored_secret("s1", NOW + seconds(60)), two])

    def test_disabled_and_enabled_again(self):
        assert folded(DISABLED) == client(version=2, enabled=False)
        assert folded(DISABLED, ENABLED) == client(version=3)

    def test_disabling_keeps_settings_and_secrets(self):
        added = ClientSecretAdded(client_id="shop", secret=stored_secret("s1"))

        assert folded(added, DISABLED) == client(version=3, enabled=False, secrets=[stored_secret("s1")])

    @pytest.mark.parametrize(
        ("events", "message"),
        [
            ([ENABLED], "client.enabled cannot be event 1"),
            ([DISABLED], "client.disabled cannot be event 1"),
            ([token_issued()], "token.issued cannot be event 1"),
            ([REGISTERED, REGISTERED], "client.registered cannot be event 2"),
            ([REGISTERED, token_issued()], "token.issued cannot be event 2"),
        ],
        ids=["enabled first", "disabled first", "of a grant", "registered twice", "then a grant's"],
    )
    def test_a_sequence_that_cannot_be_is_refused(self, events, message):
        with pytest.raises(ValueError, match=message):
            fold_client(stream_of(client_stream_id("shop"), *events))
