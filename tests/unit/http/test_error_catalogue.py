"""The error catalogue."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http import errors
from api.http.errors import ErrorKind, error_description, error_kind_for, error_kind_for_status
from ledger.domain import errors as ledger_errors

CATALOGUE = {name: kind for name, kind in vars(errors).items() if isinstance(kind, ErrorKind)}
ALLOWED = re.compile(r"[\x20-\x21\x23-\x5B\x5D-\x7E]*")


@given(st.text())
def test_description_has_only_allowed_characters(text):
    description = error_description(text)
    assert ALLOWED.fullmatch(description)
    assert len(description) <= 200


@given(st.text(alphabet=st.sampled_from([chr(c) for c in range(0x20, 0x7F) if c not in {0x22, 0x5C}]), max_size=200))
def test_description_is_unchanged_when_allowed(text):
    assert error_description(text) == text


@pytest.mark.parametrize("name", CATALOGUE)
def test_kind_has_an_allowed_code_and_description(name):
    kind = CATALOGUE[name]
    assert re.fullmatch(r"[a-z_]+", kind.code)
    assert error_description(kind.description) == kind.description


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ledger_errors.InvalidClient(), 401, "invalid_client"),
        (ledger_errors.UnauthorizedClient("x"), 400, "unauthorized_client"),
        (ledger_errors.InvalidScope("x"), 400, "invalid_scope"),
        (ledger_errors.Unavailable("x"), 503, "temporarily_unavailable"),
        (ledger_errors.QueueFull("x"), 503, "temporarily_unavailable"),
        (ledger_errors.OutcomeUnknown("x"), 503, "temporarily_unavailable"),
        (ledger_errors.CorruptPayload("x"), 500, "server_error"),
        (ledger_errors.UnknownTopic("x"), 500, "server_error"),
        (ledger_errors.InvalidRegistration("x"), 500, "server_error"),
    ],
)
def test_error_kind_matches_the_ledger_error(error, status, code):
    kind = error_kind_for(error)
    assert (kind.status, kind.code) == (status, code)


@pytest.mark.parametrize("status", range(400, 600))
def test_error_kind_keeps_the_status_when_aiohttp_chose_it(status):
    kind = error_kind_for_status(status)
    assert kind.status == status
    assert (kind.code == "server_error") == (status >= 500)
