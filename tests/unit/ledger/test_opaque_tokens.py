"""Opaque tokens: 96 random bytes, base64url, unpadded; the ledger keeps a SHA-256."""

import hashlib
import re
from base64 import urlsafe_b64decode

import pytest

from ledger.domain.opaque_tokens import DIGEST_BYTES, TOKEN_BYTES, TOKEN_LENGTH, digest, new_token


@pytest.mark.parametrize("random_bytes", [b"\x00" * 96, b"\xff" * 96, bytes(range(96)), bytes(range(160, 256))])
def test_a_token_is_128_characters_of_base64url_without_padding(random_bytes):
    token = new_token(random_bytes)

    assert len(token) == TOKEN_LENGTH == 128
    assert re.fullmatch(r"[A-Za-z0-9_-]{128}", token)


def test_a_token_carries_all_of_its_randomness():
    random_bytes = bytes(range(60, 156))

    assert urlsafe_b64decode(new_token(random_bytes)) == random_bytes


@pytest.mark.parametrize("count", [0, 1, 95, 97, 128])
def test_any_other_amount_of_randomness_is_refused(count):
    with pytest.raises(ValueError, match=rf"96 random bytes, got {count}"):
        new_token(b"\x00" * count)


def test_the_digest_is_the_sha_256_of_the_token_as_presented():
    token = new_token(b"\x07" * TOKEN_BYTES)

    assert digest(token) == hashlib.sha256(token.encode("ascii")).digest()
    assert len(digest(token)) == DIGEST_BYTES


@pytest.mark.parametrize("text", ["", " ", "not a token", "é", "\x00", "\ud800", "x" * 100_000])
def test_any_text_has_a_digest(text):
    assert len(digest(text)) == DIGEST_BYTES


def test_texts_that_differ_only_in_case_or_space_have_different_digests():
    assert len({digest(text) for text in ("token", "Token", "token ", " token")}) == 4
