"""The Client aggregate: what a registration must satisfy, every decision, every fold."""

from datetime import UTC, timedelta, timezone

import pytest

from ledger.domain.client import (
    MAX_LIFETIME_SECONDS,
    MAX_VALID_SECRETS,
    check_client_id,
    check_settings,
    fold_client,
    register,
)
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
UPDATED = ClientUpdated(client_id="shop", settings=settings(scopes=(), introspection="issuer"), updated_at=NOW)
ADDED, ADDED_TOO = (ClientSecretAdded(client_id="shop", secret=stored_secret(one)) for one in ("s1", "s2"))
RETIRED = ClientSecretRetired(client_id="shop", secret_id="s1", expires_at=NOW + seconds(60))


def fold(*events):
    return fold_client(stream_of(client_stream_id("shop"), REGISTERED, *events))


class TestClientId:
    @pytest.mark.parametrize("client_id", ["a", "user-client-opaque", "https://client.example/", "~" * 255, '"\\:%'])
    def test_id_is_1_to_255_visible_ascii_characters(self, client_id):
        check_client_id(client_id)

    @pytest.mark.parametrize("client_id", ["", " ", "a b", "a\n", "a\x00", "caf\u00e9", "a" * 256, "\x7f", "\ud800"])
    def test_other_id_is_refused(self, client_id):
        with pytest.raises(InvalidRegistration, match=r"^client_id "):
            check_client_id(client_id)


class TestSettings:
    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"name": "é ç 漢字"},
            {"name": "n" * 255},
            {"grant_types": (), "scopes": ()},
            {"default_scopes": ("write", "read")},
            {"audience": ("https://api.example", "orders")},
            {"access_token_lifetime": 1, "introspection": "issuer"},
            {"access_token_lifetime": MAX_LIFETIME_SECONDS, "introspection": "audience", "demo": True},
        ],
        ids=repr,
    )
    def test_valid_settings_are_accepted(self, changes):
        check_settings(settings(**changes))

    @pytest.mark.parametrize(
        ("field", "value", "reason"),
        [
            *(("name", name, "") for name in ("", "   ", "n" * 256, "two\nlines", "nul\x00", "\ud800")),
            ("grant_types", ("password",), "'password' is not supported; known are client_credentials"),
            ("grant_types", ("client_credentials", "implicit"), ""),
            ("grant_types", ("client_credentials", "client_credentials"), ""),
            *(("scopes", scopes, "") for scopes in (("a b",), ("",), ("read", "caf\u00e9"), ("read", "read"))),
            *(("default_scopes", scopes, "") for scopes in (("a b",), ("admin",), ("read", "read"))),
            *(("audience", (name,), "") for name in ("", "two words", "a" * 256, "caf\u00e9")),
            ("audience", ("orders", "orders"), ""),
            ("access_token_lifetime", 0, ".* seconds, got 0$"),
            ("access_token_lifetime", -1, ""),
            ("access_token_lifetime", MAX_LIFETIME_SECONDS + 1, ""),
            ("token_format", "jwt", ""),
            ("introspection", "all", ""),
        ],
    )
    def test_refusal_names_the_field(self, field, value, reason):
        with pytest.raises(InvalidRegistration, match=f"^{field}: {reason}"):
            check_settings(settings(**{field: value}))


class TestRegisterAndUpdate:
    @pytest.mark.parametrize(("client_id", "name", "field"), [("two words", "Shop", "client_id"), ("shop", "", "name")])
    def test_registration_holds_settings_unless_they_or_the_id_are_invalid(self, client_id, name, field):
        assert register("shop", settings(), now=NOW) == REGISTERED
        with pytest.raises(InvalidRegistration, match=field):
            register(client_id, settings(name=name), now=NOW)

    def test_update_holds_the_settings_and_is_none_when_they_are_the_same(self):
        changed = settings(name="Other shop", access_token_lifetime=60)

        assert client().update(changed, now=NOW) == ClientUpdated(client_id="shop", settings=changed, updated_at=NOW)
        assert client().update(settings(), now=NOW) is None

    @pytest.mark.parametrize(
        ("before", "after", "reason"),
        [
            ({}, {"scopes": ("a b",)}, "scopes"),
            ({}, {"demo": True}, "'demo' cannot be changed"),
            ({"demo": True}, {}, "'demo' cannot be changed"),
        ],
    )
    def test_update_is_refused_when_invalid_or_it_changes_demo(self, before, after, reason):
        with pytest.raises(InvalidRegistration, match=reason):
            client(**before).update(settings(**after), now=NOW)


class TestAddSecret:
    @pytest.mark.parametrize(
        "others",
        [[], [stored_secret("other")], [*(stored_secret(f"ended{n}", NOW) for n in range(5)), stored_secret("other")]],
        ids=["first", "second", "second valid one"],
    )
    def test_secret_is_added_when_fewer_than_two_are_valid(self, others):
        secret = stored_secret("s1", NOW + seconds(60))

        added = client(secrets=others).add_secret(secret, now=NOW)

        assert added == ClientSecretAdded(client_id="shop", secret=secret)

    @pytest.mark.parametrize(
        ("others", "added", "reason"),
        [
            (
                [stored_secret(f"s{n}") for n in range(MAX_VALID_SECRETS)],
                stored_secret("new"),
                "already has 2 valid secrets: retire one with 'token-ledger",
            ),
            ([stored_secret("s1")], stored_secret("s1"), "already has a secret with id 's1'"),
            ([stored_secret("s1", NOW - seconds(1))], stored_secret("s1"), "already has a secret with id 's1'"),
            ([], stored_secret("s1", NOW), "which is past"),
            ([], stored_secret("s1", NOW - seconds(1)), "which is past"),
        ],
        ids=["two are valid", "id is used", "id was used", "ends now", "has ended"],
    )
    def test_secret_is_refused_with_the_reason(self, others, added, reason):
        with pytest.raises(InvalidRegistration, match=reason):
            client(secrets=others).add_secret(added, now=NOW)


class TestRetireSecret:
    @pytest.mark.parametrize(
        ("ends_after", "retired_after", "recorded_after"),
        [(None, 0, 0), (None, 3600, 3600), (None, -60, 0), (60, 30, 30)],
        ids=["now", "later", "now when in the past", "earlier than before"],
    )
    def test_event_holds_the_new_end_in_utc(self, ends_after, retired_after, recorded_after):
        secrets = [stored_secret("s1", None if ends_after is None else NOW + seconds(ends_after))]

        elsewhere = (NOW + seconds(retired_after)).astimezone(timezone(timedelta(hours=9)))

        retired = client(secrets=secrets).retire_secret("s1", expires_at=elsewhere, now=NOW)

        assert retired.expires_at.tzinfo is UTC
        assert retired == ClientSecretRetired(
            client_id="shop", secret_id="s1", expires_at=NOW + seconds(recorded_after)
        )

    @pytest.mark.parametrize(("ends_after", "retired_after"), [(0, 60), (30, 60), (60, 60), (-60, 0)])
    def test_end_is_never_postponed(self, ends_after, retired_after):
        secrets = [stored_secret("s1", NOW + seconds(ends_after))]

        assert client(secrets=secrets).retire_secret("s1", expires_at=NOW + seconds(retired_after), now=NOW) is None

    def test_secret_is_refused_when_unknown(self):
        with pytest.raises(InvalidRegistration, match="has no secret with id 's9'"):
            client(secrets=[stored_secret("s1")]).retire_secret("s9", expires_at=NOW, now=NOW)


def test_client_is_disabled_and_enabled_once():
    assert client().disable(now=NOW, reason="compromised") == DISABLED
    assert client(enabled=False).disable(now=NOW, reason="again") is None
    assert client(enabled=False).enable(now=NOW) == ENABLED
    assert client().enable(now=NOW) is None


def test_secret_ends_at_the_instant_it_expires():
    shop = client(secrets=[stored_secret("always"), stored_secret("until", NOW + seconds(60))])

    assert [s.secret_id for s in shop.valid_secrets(NOW + seconds(59.999999))] == ["always", "until"]
    assert [s.secret_id for s in shop.valid_secrets(NOW + seconds(60))] == ["always"]


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
def test_client_may_introspect_by_policy_and_audience(policy, audience, allowed):
    assert client(introspection=policy).may_introspect(audience) is allowed


class TestFold:
    @pytest.mark.parametrize(
        ("events", "expected"),
        [
            ([], {}),
            ([UPDATED], {"scopes": (), "introspection": "issuer"}),
            ([DISABLED], {"enabled": False}),
            ([DISABLED, ENABLED], {}),
            ([ADDED, DISABLED], {"enabled": False, "secrets": [stored_secret("s1")]}),
            ([ADDED, ADDED_TOO], {"secrets": [stored_secret("s1"), stored_secret("s2")]}),
            ([ADDED, ADDED_TOO, RETIRED], {"secrets": [stored_secret("s1", NOW + seconds(60)), stored_secret("s2")]}),
        ],
    )
    def test_client_is_as_the_events_of_its_stream_say(self, events, expected):
        assert fold(*events) == client(version=1 + len(events), **expected)
        assert fold_client([]) is None

    @pytest.mark.parametrize(
        ("events", "message"),
        [
            ([ENABLED], "client.enabled cannot be event 1"),
            ([DISABLED], "client.disabled cannot be event 1"),
            ([token_issued()], "token.issued cannot be event 1"),
            ([REGISTERED, REGISTERED], "client.registered cannot be event 2"),
            ([REGISTERED, token_issued()], "token.issued cannot be event 2"),
        ],
    )
    def test_stream_is_refused_when_an_event_cannot_follow(self, events, message):
        with pytest.raises(ValueError, match=message):
            fold_client(stream_of(client_stream_id("shop"), *events))
