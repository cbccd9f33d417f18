"""Access tokens and client secrets: how they are generated, hashed and verified."""

import hashlib
import re
from base64 import urlsafe_b64decode

import pytest

from ledger.domain import secrets as client_secrets
from ledger.domain.secrets import (
    generate_secret,
    generate_token,
    hash_chosen_secret,
    hash_generated_secret,
    hash_token,
    verify_chosen_secret,
    verify_generated_secret,
)
from tests.builders import CHEAP_ARGON2, NOW, chosen_secret, seconds

RANDOM = bytes(range(32))
SALT = b"0123456789abcdef"


@pytest.mark.parametrize(("generate", "count"), [(generate_token, 96), (generate_secret, 32)])
def test_other_number_of_random_bytes_is_refused(generate, count):
    for given in (0, 1, count - 1, count + 1, 128):
        with pytest.raises(ValueError, match=rf"takes {count} random bytes, got {given}"):
            generate(b"\x00" * given)


class TestTokens:
    @pytest.mark.parametrize("random_bytes", [b"\x00" * 96, b"\xff" * 96, bytes(range(96)), bytes(range(160, 256))])
    def test_token_is_the_unpadded_base64url_of_its_96_random_bytes(self, random_bytes):
        token = generate_token(random_bytes)

        assert re.fullmatch(r"[A-Za-z0-9_-]{128}", token)
        assert urlsafe_b64decode(token) == random_bytes

    def test_digest_is_the_sha_256_of_the_token(self):
        token = generate_token(b"\x07" * 96)

        assert hash_token(token) == hashlib.sha256(token.encode("ascii")).digest()

    def test_any_text_has_its_own_digest(self):
        texts = ["token", "Token", "token ", " token", "", " ", "é", "\x00", "\ud800", "x" * 100_000]

        digests = {hash_token(text) for text in texts}
        assert len(digests) == len(texts)
        assert {len(digest) for digest in digests} == {32}


class TestGeneratedSecrets:
    def test_secret_is_43_characters_of_base64url(self):
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", generate_secret(RANDOM))

    def test_secret_is_stored_as_its_sha_256(self):
        secret = generate_secret(RANDOM)

        stored = hash_generated_secret(secret, secret_id="s1", now=NOW, expires_at=NOW + seconds(60))

        assert (stored.kind, stored.hash) == ("sha256", hashlib.sha256(secret.encode()).hexdigest())
        assert (stored.secret_id, stored.created_at, stored.expires_at) == ("s1", NOW, NOW + seconds(60))

    def test_only_the_secret_itself_is_verified(self):
        stored = hash_generated_secret(generate_secret(RANDOM), secret_id="s1", now=NOW)

        assert verify_generated_secret(generate_secret(RANDOM), stored)
        for text in (generate_secret(bytes(32)), stored.hash, "", "\x00", "é", "\ud800", "x" * 10_000):
            assert not verify_generated_secret(text, stored)

        chosen = chosen_secret("correct horse")
        assert not verify_generated_secret("correct horse", chosen)
        assert not verify_generated_secret(chosen.hash, chosen)


class TestChosenSecrets:
    def test_secret_is_stored_as_argon2id_with_the_owasp_minimum(self):
        stored = hash_chosen_secret("correct horse", secret_id="s1", salt=SALT, now=NOW)

        assert stored.kind == "argon2id"
        assert stored.hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        assert "correct horse" not in stored.hash
        assert verify_chosen_secret("correct horse", stored.hash)

    @pytest.mark.parametrize(
        ("text", "stored_hash"),
        [
            *(
                (text, CHEAP_ARGON2.hash("right", salt=b"salt" * 4))
                for text in ("", "Right", "right ", "\ud800", "\x00")
            ),
            *(("right", malformed) for malformed in ("", "nonsense", "$argon2id$v=19$broken")),
        ],
    )
    def test_other_text_or_malformed_hash_is_not_verified(self, text, stored_hash):
        assert not verify_chosen_secret(text, stored_hash)

    def test_equal_secrets_have_different_hashes_when_salts_differ(self, monkeypatch):
        monkeypatch.setattr(client_secrets, "_argon2", CHEAP_ARGON2)
        one, other = (
            hash_chosen_secret("correct horse", secret_id="s1", salt=salt, now=NOW) for salt in (b"a" * 16, b"b" * 16)
        )

        assert one.hash != other.hash
