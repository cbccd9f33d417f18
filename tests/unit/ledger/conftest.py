"""An issuer in memory for the tests of use cases."""

import pytest

from tests.in_memory_issuer import InMemoryIssuer


@pytest.fixture
async def ledger():
    ledger = InMemoryIssuer()
    yield ledger
    await ledger.writer.close()


@pytest.fixture
def before_write(monkeypatch):
    """Run a hook before each of the next writes of a use case."""

    def hook(use_case, *hooks):
        remaining, writer = list(hooks), use_case.writer

        class HookedWriter:
            async def write(self, write):
                if remaining:
                    await remaining.pop(0)()
                return await writer.write(write)

        monkeypatch.setattr(use_case, "writer", HookedWriter())

    return hook
