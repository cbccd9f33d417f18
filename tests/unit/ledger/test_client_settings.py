"""The rules of a registration: what is accepted, and that each refusal names its field."""

import pytest

from ledger.domain.client import MAX_LIFETIME_SECONDS, check_client_id, check_settings
from ledger.domain.errors import InvalidRegistration
from tests.builders import settings


@pytest.mark.parametrize("client_id", ["a", "user-client-opaque", "https://client.example/", "~" * 255, '"\\:%'])
def test_a_client_id_is_1_to_255_visible_ascii_characters(client_id):
    check_client_id(client_id)


@pytest.mark.parametrize("client_id", ["", " ", "a b", "a\n", "a\x00", "caf\u00e9", "a" * 256, "\x7f", "\ud800"])
def test_any_other_client_id_is_refused(client_id):
    with pytest.raises(InvalidRegistration, match=r"^client_id "):
        check_client_id(client_id)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"name": "é ç 漢字"},
        {"name": "n" * 255},
        {"grant_types": ()},
        {"scopes": ()},
        {"default_scopes": ("read",)},
        {"default_scopes": ("write", "read")},
        {"audience": ("https://api.example", "orders")},
        {"access_token_lifetime": 1},
        {"access_token_lifetime": MAX_LIFETIME_SECONDS},
        {"introspection": "issuer"},
        {"introspection": "audience"},
        {"demo": True},
    ],
    ids=repr,
)
def test_what_is_accepted(changes):
    check_settings(settings(**changes))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "   "),
        ("name", "n" * 256),
        ("name", "two\nlines"),
        ("name", "nul\x00"),
        ("name", "\ud800"),
        ("grant_types", ("password",)),
        ("grant_types", ("client_credentials", "implicit")),
        ("grant_types", ("client_credentials", "client_credentials")),
        ("scopes", ("a b",)),
        ("scopes", ("",)),
        ("scopes", ("read", "caf\u00e9")),
        ("scopes", ("read", "read")),
        ("default_scopes", ("a b",)),
        ("default_scopes", ("admin",)),
        ("default_scopes", ("read", "read")),
        ("audience", ("",)),
        ("audience", ("two words",)),
        ("audience", ("a" * 256,)),
        ("audience", ("caf\u00e9",)),
        ("audience", ("orders", "orders")),
        ("access_token_lifetime", 0),
        ("access_token_lifetime", -1),
        ("access_token_lifetime", MAX_LIFETIME_SECONDS + 1),
        ("token_format", "jwt"),
        ("introspection", "all"),
    ],
)
def test_a_refusal_names_its_field(field, value):
    with pytest.raises(InvalidRegistration, match=f"^{field}: "):
        check_settings(settings(**{field: value}))


def test_a_refused_grant_type_is_answered_with_those_that_are_known():
    with pytest.raises(InvalidRegistration, match="'password' is not supported; known are client_credentials"):
        check_settings(settings(grant_types=("password",)))


def test_a_refused_lifetime_says_what_was_given():
    with pytest.raises(InvalidRegistration, match=r"seconds, got 0$"):
        check_settings(settings(access_token_lifetime=0))
