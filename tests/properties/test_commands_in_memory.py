"""After any sequence of commands in memory, the view is the fold of the log and every response was right."""

import asyncio

import pytest
from hypothesis import Phase, given, settings

from tests.in_memory_issuer import InMemoryIssuer
from tests.properties.command_runner import CommandRunner
from tests.properties.commands import sequences
from tests.properties.oracle import ActiveRow


class InMemory(InMemoryIssuer):
    async def rows(self):
        rows = await self.event_log.read(0, 1_000_000)
        assert rows == self.log, "the inline views did not receive the whole log"
        return rows

    async def active_rows(self) -> dict[bytes, ActiveRow]:
        return {
            digest: (str(t.jti), t.client_id, t.subject, t.scope, t.audience, t.issued_at, t.expires_at)
            for digest, t in self.active_tokens._tokens.items()
        }


def run(runner: asyncio.Runner, commands, **defects) -> None:
    async def example():
        subject = InMemory(**defects)
        await CommandRunner(subject).run_all(commands)
        await subject.writer.close()

    runner.run(example())


def test_view_is_the_fold_of_the_log_and_responses_are_right():
    with asyncio.Runner() as runner:

        @given(sequences)
        def holds(commands):
            run(runner, commands)

        holds()


def forget_revocations_that_share_a_batch(view):
    def fold(recorded):
        alone = len(recorded) == 1
        view.fold([row for row in recorded if alone or row.topic != "token.revoked"])

    return fold


def keep_only_the_last_token_of_a_batch(view):
    def fold(recorded):
        issued = [row for row in recorded if row.topic == "token.issued"]
        view.fold([row for row in recorded if row not in issued[:-1]])

    return fold


def restore_revoked_tokens_with_the_next_batch(view):
    revoked = []

    def fold(recorded):
        view._tokens.update(revoked)
        revoked.clear()
        before = dict(view._tokens)
        view.fold(recorded)
        revoked.extend((digest, token) for digest, token in before.items() if digest not in view._tokens)

    return fold


def revoke_all_tokens_of_the_client(view):
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
        forget_revocations_that_share_a_batch,
        keep_only_the_last_token_of_a_batch,
        restore_revoked_tokens_with_the_next_batch,
        revoke_all_tokens_of_the_client,
    ],
    ids=lambda defect: defect.__name__,
)
def test_property_fails_when_the_view_is_defective(defect):
    with asyncio.Runner() as runner:

        @settings(phases=[Phase.generate], derandomize=True, report_multiple_bugs=False)
        @given(sequences)
        def holds(commands):
            run(runner, commands, fold_tokens=defect)

        with pytest.raises(AssertionError):
            holds()
