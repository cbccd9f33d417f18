"""An issuer in memory for the tests of use cases."""

import pytest

from tests.in_memory_issuer import InMemoryIssuer


@pytest.fixture
async def ledger():
    ledger = InMemoryIssuer()
    yield ledger
    await ledger.writer.close()
