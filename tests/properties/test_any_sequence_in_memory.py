"""Any sequence of commands, on the memory store: the view is the fold of the log, and every answer is right."""

import asyncio

import pytest
from hypothesis import Phase, given, settings

from ledger.domain import secrets as client_secrets
from tests.builders import CHEAP_ARGON2
from tests.in_memory_issuer import InMemoryIssuer
from tests.properties.commands import sequences
from tests.properties.oracle import ActiveRow
from tests.properties.running import Run


class InMemory(InMemoryIssuer):
    """An issuer in memory as a subject of the property."""

    async def rows(self):
        rows = await self.event_log.read(0, 1_000_000)
        assert rows == self.log, "an inline view was not given what the log holds"
        return rows

    async def active_rows(self) -> dict[bytes, ActiveRow]:
        return {
            digest: (str(t.jti), t.client_id, t.subject, t.scope, t.audience, t.issued_at, t.expires_at)
            for digest, t in self.active_tokens._tokens.items()
        }


@pytest.fixture(autouse=True, scope="module")
def _cheap_secrets():
    """A refusal computes argon2id twice; with the real parameters that is all this would do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client_secrets, "_argon2", CHEAP_ARGON2)
        patch.setattr(client_secrets, "_DECOY", CHEAP_ARGON2.hash(b"no client has this secret"))
        yield


def run(runner: asyncio.Runner, commands, **defects) -> None:
    async def example():
        subject = InMemory(**defects)
        await Run(subject).all_of(commands)
        await subject.writer.close()

    runner.run(example())


def test_the_view_is_the_fold_of_the_log_and_every_answer_is_right():
    with asyncio.Runner() as runner:

        @given(sequences)
        def holds(commands):
            run(runner, commands)

        holds()


def forgets_revocations_that_share_a_batch(view):
    def fold(recorded):
        alone = len(recorded) == 1
        view.fold([row for row in recorded if alone or row.topic != "token.revoked"])

    return fold


def keeps_the_last_token_of_a_batch_only(view):
    def fold(recorded):
        issued = [row for row in recorded if row.topic == "token.issued"]
        view.fold([row for row in recorded if row not in issued[:-1]])

    return fold


def brings_the_revoked_back_with_the_next_batch(view):
    revoked = []

    def fold(recorded):
        view._tokens.update(revoked)
        revoked.clear()
        before = dict(view._tokens)
        view.fold(recorded)
        revoked.extend((digest, token) for digest, token in before.items() if digest not in view._tokens)

    return fold


def revokes_all_tokens_of_the_client(view):
    def fold(recorded):
        before = dict(view._tokens)
        view.fold(recorded)
        gone = {token.client_id for digest, token in before.items() if digest not in view._tokens}
        for digest, token in list(view._tokens.items()):
            if token.client_id in gone:
                del view._tokens[digest]

    return fold


@pytest.mark.parametrize(
    "defect",
    [
        forgets_revocations_that_share_a_batch,
        keeps_the_last_token_of_a_batch_only,
        brings_the_revoked_back_with_the_next_batch,
        revokes_all_tokens_of_the_client,
    ],
    ids=lambda defect: defect.__name__,
)
def test_a_defective_view_is_caught(defect):
    with asyncio.Runner() as runner:

        @settings(phases=[Phase.generate], derandomize=True, report_multiple_bugs=False)
        @given(sequences)
        def holds(commands):
            run(runner, commands, fold_tokens=defect)

        with pytest.raises(AssertionError):
            holds()
