"""Cheap secrets for every property: a refusal computes argon2id twice, which would take most of the time."""

import pytest

from ledger.domain import secrets as client_secrets
from tests.builders import CHEAP_ARGON2
from tests.properties import search_effort  # noqa: F401 (its profile applies to every property)


@pytest.fixture(autouse=True, scope="module")
def _cheap_secrets():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client_secrets, "_argon2", CHEAP_ARGON2)
        patch.setattr(client_secrets, "_DECOY", CHEAP_ARGON2.hash(b"no client has this secret"))
        yield
