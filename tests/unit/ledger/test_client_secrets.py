"""Client secrets: what is kept of them, and what matches."""

import hashlib
import re

import pytest

from ledger.domain import secrets as client_secrets
from ledger.domain.secrets import (
    decoy_hash,
    generate_secret,
    keep_chosen,
    keep_generated,
    matches_chosen,
    matches_generated,
)
from tests.builders import CHEAP_ARGON2, NOW, chosen_secret, seconds

RANDOM = bytes(range(32))
SALT = b"0123456789abcdef"


def test_a_generated_secret_is_43_characters_of_base64url():
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", generate_secret(RANDOM))


@pytest.mark.parametrize("count", [0, 31, 33])
def test_any_other_amount_of_randomness_is_refused(count):
    with pytest.raises(ValueError, match=f"takes 32 random bytes, got {count}"):
        generate_secret(b"\x00" * count)


def test_of_a_generated_secret_the_sha_256_is_kept():
    secret = generate_secret(RANDOM)

    kept = keep_generated(secret, secret_id="s1", now=NOW, expires_at=NOW + seconds(60))

    assert kept.kind == "sha256"
    assert kept.hash == hashlib.sha256(secret.encode()).hexdigest()
    assert (kept.secret_id, kept.created_at, kept.expires_at) == ("s1", NOW, NOW + seconds(60))


def test_a_generated_secret_matches_itself_and_nothing_else():
    kept = keep_generated(generate_secret(RANDOM), secret_id="s1", now=NOW)

    assert matches_generated(generate_secret(RANDOM), kept)
    assert not matches_generated(generate_secret(bytes(32)), kept)
    assert not matches_generated(kept.hash, kept)


@pytest.mark.parametrize("text", ["", "\x00", "é", "\ud800", "x" * 10_000])
def test_any_text_can_be_compared_with_a_generated_secret(text):
    assert not matches_generated(text, keep_generated(generate_secret(RANDOM), secret_id="s1", now=NOW))


def test_a_chosen_secret_is_never_matched_as_a_generated_one():
    kept = chosen_secret("correct horse")

    assert not matches_generated("correct horse", kept)
    assert not matches_generated(kept.hash, kept)


def test_a_chosen_secret_is_kept_as_argon2id_with_the_owasp_minimum():
    kept = keep_chosen("correct horse", secret_id="s1", salt=SALT, now=NOW)

    assert kept.kind == "argon2id"
    assert kept.hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert "correct horse" not in kept.hash
    assert matches_chosen("correct horse", kept.hash)


@pytest.mark.parametrize("text", ["", "Correct horse", "correct horse ", "\ud800", "\x00"])
def test_another_text_does_not_match_a_chosen_secret(text):
    assert not matches_chosen(text, CHEAP_ARGON2.hash("correct horse"))


@pytest.mark.parametrize("stored_hash", ["", "nonsense", "$argon2id$v=19$broken"])
def test_a_hash_that_cannot_be_read_matches_nothing(stored_hash):
    assert not matches_chosen("correct horse", stored_hash)


def test_salts_make_equal_secrets_look_different(monkeypatch):
    monkeypatch.setattr(client_secrets, "_argon2", CHEAP_ARGON2)
    one = keep_chosen("correct horse", secret_id="s1", salt=b"a" * 16, now=NOW)
    other = keep_chosen("correct horse", secret_id="s2", salt=b"b" * 16, now=NOW)

    assert one.hash != other.hash


def test_the_decoy_costs_as_much_as_a_chosen_secret():
    parameters = re.compile(r"\$argon2id\$v=19\$m=19456,t=2,p=1\$")

    assert parameters.match(decoy_hash())
