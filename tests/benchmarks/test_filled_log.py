"""A filled log equals a log that the service wrote, and the service can serve it."""

import pytest

from benchmarks import filled_log
from benchmarks.numbered_tokens import TOKENS_UNTIL_REVOCATION, client_of, client_secret, token
from ledger.postgres.log_verification import verify_log
from ledger.postgres.whole_log import read_log_bounds
from tests.integration.catalog import describe
from tests.integration.conftest import CAUSE, ISSUER
from tests.integration.histories import NAMES, check
from tests.integration.whole_logs import ignore_progress

TOKENS = 2 * TOKENS_UNTIL_REVOCATION + 1
REVOKED, LIVE = 0, 1


@pytest.fixture
async def fill(database, monkeypatch):
    """Fills a log with two processes, in parts whose size is not a multiple of the chunk size."""
    monkeypatch.setattr(filled_log, "PART_TOKENS", 700)

    async def run(log_name: str = ISSUER.log_name) -> filled_log.FilledLog:
        return await filled_log.fill_log(database.owner_dsn, log_name, tokens=TOKENS, processes=2)

    return run


async def test_log_is_sound_and_projections_match_and_schema_is_unchanged(database, fill, service):
    before = await describe(database.superuser_dsn)
    filled = await fill()
    log = service.log(ISSUER)
    found = await verify_log(log, await read_log_bounds(log), limit=20, progress=ignore_progress)
    assert (found.sound, found.events, found.findings) == (True, filled.events, ())
    assert [name for name in NAMES if not (await check(database.owner_dsn, name)).equal] == []
    assert await describe(database.superuser_dsn) == before


async def test_clients_can_introspect_and_revoke_its_tokens(fill, issuer):
    filled = await fill()
    client = await issuer.authentication.authenticate(client_of(LIVE), client_secret(client_of(LIVE)))
    found = await issuer.introspection.find_active_token(token(LIVE))
    assert found.jti == filled.tokens.jti(LIVE)
    assert await issuer.introspection.find_active_token(token(REVOKED)) is None
    assert await issuer.revocation.revoke_token(client, token(LIVE), CAUSE) == filled.events + 1
    assert await issuer.introspection.find_active_token(token(LIVE)) is None


async def test_existing_log_is_refused(fill):
    await fill()
    with pytest.raises(ValueError, match="already exists"):
        await fill()
