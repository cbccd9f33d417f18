"""Redaction of everything that is logged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.logging.redaction import REDACTED, SECRET_KEYS, redact, redact_text

TOKEN = (
    "j53P_5JCitAmidCtdS1BIgnEtcprhF3H0sw3Ys5c6bHgE1Mj2YXKZZtFU3_urcUI"
    "4qynLRXM4YAUiFxz1KHGN_XApAQR_oSDpGMJFtYpSVPhV1fNezuNLKtU0FBMOx8w"
)
base64url = st.text(alphabet="ABCXYZabcxyz0189-_", min_size=128, max_size=300)


@pytest.mark.parametrize("key", [*sorted(SECRET_KEYS), "Authorization", "CLIENT_SECRET", "Proxy-Authorization"])
def test_value_is_masked_when_its_key_is_secret(key):
    assert redact("x", key) == REDACTED
    assert redact(["x"], key) == REDACTED
    assert redact({"outer": {key: "x"}}) == {"outer": {key: REDACTED}}


@given(st.text(), base64url, st.text())
def test_token_is_masked_when_surrounded_by_text(before, token, after):
    assert token not in redact_text(f"{before} {token} {after}")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"found {TOKEN}, twice {TOKEN}", f"found {REDACTED}, twice {REDACTED}"),
        (f"in quotes '{TOKEN}'", f"in quotes '{REDACTED}'"),
        ("postgresql://ledger:hunter2@db/ledger", f"postgresql://ledger:{REDACTED}@db/ledger"),
        ("postgresql://ledger:hun/t@er:2@db/ledger", f"postgresql://ledger:{REDACTED}@db/ledger"),
        ("postgresql://:hunter2@db/ledger", f"postgresql://:{REDACTED}@db/ledger"),
        ("host=db password=hunter2 user=x", f"host=db password={REDACTED} user=x"),
        ("password = hunter2", f"password = {REDACTED}"),
        ("/introspect?token=abc&x=1", f"/introspect?token={REDACTED}&x=1"),
        ("client_id=a&client_secret=hunter2", f"client_id=a&client_secret={REDACTED}"),
        ("{'client_secret': 'hunter2', 'x': 1}", f"{{'client_secret': '{REDACTED}', 'x': 1}}"),
        ('{"access_token":"abc"}', f'{{"access_token":"{REDACTED}"}}'),
        ("Authorization: Basic YXBwOnNlY3JldA==", f"Authorization: Basic {REDACTED}"),
        ("authorization: bearer abcdefgh123", f"authorization: bearer {REDACTED}"),
    ],
)
def test_text_is_masked_when_it_contains_a_secret(text, masked):
    assert redact_text(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "",
        "token",
        "the token was issued to another client",
        "0191f9d4-7f0a-7c3e-9f43-3c5b1d2a4e60",
        "http://localhost:8085/ms-auth-server",
        "postgresql://ledger@db/ledger",
        "a" * 64,
        TOKEN[:127],
        "4096 writes wait to be recorded already.",
        "run 'token-ledger migrate'",
    ],
)
def test_text_is_unchanged_when_it_contains_no_secret(text):
    assert redact_text(text) == text


def test_collections_and_bytes_are_masked():
    assert redact([TOKEN, (TOKEN,), {"a": TOKEN}, {TOKEN}]) == [REDACTED, [REDACTED], {"a": REDACTED}, [REDACTED]]
    assert redact(TOKEN.encode()) == REDACTED
    assert redact({TOKEN: 1}) == {REDACTED: 1}


def test_text_of_an_object_is_masked():
    assert redact(ValueError(f"no {TOKEN}")) == f"no {REDACTED}"


@pytest.mark.parametrize("value", [None, True, 1, 1.5])
def test_value_is_unchanged_when_not_text(value):
    assert redact(value) is value
