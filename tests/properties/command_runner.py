"""Runs commands through the use cases and compares every response, and the state after it, with the oracle."""

import asyncio
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

from msgspec.structs import replace

from ledger.domain.client import MAX_VALID_SECRETS
from ledger.domain.errors import InvalidClient, InvalidRegistration, InvalidScope, Refusal, UnauthorizedClient
from ledger.use_cases.issuer import Issuer
from tests.builders import FakeClock, seconds, settings
from tests.in_memory_issuer import OPERATOR
from tests.properties.commands import (
    AddSecret,
    Advance,
    AdvanceToExpiry,
    ChangeLifetime,
    Command,
    Issue,
    RetireSecret,
    Revoke,
    SetEnabled,
    Together,
)
from tests.properties.oracle import (
    ActiveRow,
    KnownClient,
    KnownSecret,
    KnownToken,
    check_disabled_clients_get_nothing,
    check_order,
    fold_of,
    positions_of_tokens,
)

SCOPES = ("read", "write")


class Subject(Protocol):
    """An issuer, its clock, its log and its view of active tokens."""

    issuer: Issuer
    clock: FakeClock

    async def rows(self): ...

    async def active_rows(self) -> dict[bytes, ActiveRow]: ...


class CommandRunner:
    """Runs one example on an issuer with an empty log."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._issuer = subject.issuer
        self._clock = subject.clock
        self._tokens: list[KnownToken] = []
        self._responded: dict[int, tuple[str, str]] = {}
        self._secrets: dict[str, str] = {}
        self._clients = {
            "shop": KnownClient(lifetime=60, audience=("shop",)),
            "depot": KnownClient(lifetime=60, audience=("api", "depot")),
        }

    async def run_all(self, commands: list[Command]) -> None:
        """Run the commands in turn and check everything after each."""
        registry = self._issuer.registry
        await registry.register("shop", settings(access_token_lifetime=60), OPERATOR)
        depot = settings(access_token_lifetime=60, audience=("api", "depot"))
        await registry.register("depot", depot, OPERATOR)
        await registry.register("gateway", settings(introspection="issuer"), OPERATOR)
        await registry.register("api", settings(introspection="audience"), OPERATOR)
        for client_id in ("gateway", "api"):
            _, self._secrets[client_id] = await registry.add_generated_secret(client_id, OPERATOR)
        for client_id in self._clients:
            await self._run(AddSecret(client_id, None))
            await self._run(Issue(client_id, None, 0))
        await self._check()
        for command in commands:
            await self._run(command)
            await self._check()

    async def _run(self, command: Command) -> None:
        match command:
            case Advance(by):
                self._clock.advance(seconds=by)
            case AdvanceToExpiry(token, offset):
                if self._tokens:
                    expires_at = self._tokens[token % len(self._tokens)].expires_at
                    self._clock.now = datetime.fromtimestamp(expires_at + offset, UTC)
            case Issue():
                await self._issue(command)
            case Revoke():
                await self._revoke(command)
            case Together(commands):
                await self._together(commands)
            case _:
                await self._change(command)

    async def _change(self, command: SetEnabled | ChangeLifetime | AddSecret | RetireSecret) -> None:
        match command:
            case SetEnabled(client_id, enabled):
                self._clients[client_id].enabled = enabled
                registry = self._issuer.registry
                change = registry.enable(client_id, OPERATOR) if enabled else registry.disable(client_id, "", OPERATOR)
                assert (await change).enabled is enabled
            case ChangeLifetime(client_id, lifetime):
                self._clients[client_id].lifetime = lifetime
                client = await self._issuer.clients.get(client_id)
                changed = replace(client.settings, access_token_lifetime=lifetime)
                await self._issuer.registry.update(client_id, changed, OPERATOR)
            case AddSecret():
                await self._add_secret(command)
            case RetireSecret():
                await self._retire_secret(command)

    async def _issue(self, command: Issue) -> None:
        known = self._clients[command.client]
        now = self._clock()
        secret = known.secrets[command.secret % len(known.secrets)]
        refused = await self._try_to_issue(command)
        if not known.enabled or not secret.is_valid(now):
            assert isinstance(refused, InvalidClient)
        elif command.scope is not None and not set(command.scope) <= set(SCOPES):
            assert isinstance(refused, InvalidScope)
        else:
            assert refused is None

    async def _try_to_issue(self, command: Issue) -> Refusal | None:
        known = self._clients[command.client]
        secret = known.secrets[command.secret % len(known.secrets)].secret
        expires_at = int(self._clock().timestamp()) + known.lifetime
        try:
            client = await self._issuer.authentication.authenticate(command.client, secret)
            issued = await self._issuer.issuance.issue_token(client, command.scope, OPERATOR)
        except Refusal as refused:
            return refused
        assert issued.scope == (command.scope or ())
        self._tokens.append(KnownToken(issued.access_token, issued.jti, command.client, known.audience, expires_at))
        self._responded[issued.position] = ("token.issued", issued.jti)
        return None

    async def _revoke(self, command: Revoke) -> None:
        if not self._tokens:
            return
        token = self._tokens[command.token % len(self._tokens)]
        was_active = token.is_active(self._clock())
        position, refused = await self._try_to_revoke(command, token)
        if command.client is not None and was_active and token.client != command.client:
            assert isinstance(refused, UnauthorizedClient)
        else:
            assert refused is None
            assert (position is not None) is was_active

    async def _try_to_revoke(self, command: Revoke, token: KnownToken) -> tuple[int | None, Refusal | None]:
        was_active = token.is_active(self._clock())
        try:
            if command.client is not None:
                client = await self._issuer.clients.get(command.client)
                position = await self._issuer.revocation.revoke_token(client, token.text, OPERATOR)
            else:
                position = await self._issuer.revocation.revoke_by_jti(UUID(token.jti), "", OPERATOR)
        except Refusal as refused:
            return None, refused
        token.revoked = token.revoked or was_active
        if position is not None:
            self._responded[position] = ("token.revoked", token.jti)
        return position, None

    async def _add_secret(self, command: AddSecret) -> None:
        known = self._clients[command.client]
        now = self._clock()
        ends_at = None if command.lasts is None else now + seconds(command.lasts)
        full = sum(secret.is_valid(now) for secret in known.secrets) >= MAX_VALID_SECRETS
        try:
            added = await self._issuer.registry.add_generated_secret(command.client, OPERATOR, ends_at)
        except InvalidRegistration:
            assert full
        else:
            assert not full
            known.secrets.append(KnownSecret(*added, ends_at))

    async def _retire_secret(self, command: RetireSecret) -> None:
        known = self._clients[command.client]
        secret = known.secrets[command.secret % len(known.secrets)]
        end = self._clock() + seconds(command.after)
        await self._issuer.registry.retire_secret(command.client, secret.secret_id, OPERATOR, end)
        secret.ends_at = end if secret.ends_at is None else min(secret.ends_at, end)

    async def _together(self, commands) -> None:
        known_before = list(self._tokens)

        def start(command):
            match command:
                case Issue():
                    return self._try_to_issue(command)
                case SetEnabled():
                    return self._change(command)
                case _:
                    token = known_before[command.token % len(known_before)]
                    return self._try_to_revoke(command, token)

        possible = [c for c in commands if known_before or not isinstance(c, Revoke)]
        tasks = [asyncio.create_task(start(command)) for command in possible]
        await self._hold_writes_of(tasks)
        await asyncio.gather(*tasks)

    async def _hold_writes_of(self, tasks: list[asyncio.Task]) -> None:
        """Wait until every task has queued its write or is done, then commit the writes as one batch."""
        writer = self._issuer.issuance.writer
        every_write_waits = asyncio.Event()

        async def hold() -> None:
            await every_write_waits.wait()
            await writer._commit_all()

        writer._committing = asyncio.create_task(hold())
        # Each task reads before it writes, and the writer has no event for a queued write.
        while writer.waiting < sum(not task.done() for task in tasks):  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        every_write_waits.set()

    async def _check(self) -> None:
        now = self._clock()
        rows = await self._subject.rows()
        check_order(rows)
        check_disabled_clients_get_nothing(rows)
        assert self._responded == positions_of_tokens(rows), "a response named another position than the log"
        folded = fold_of(rows)
        assert await self._subject.active_rows() == folded, "the view is not the fold of the log"
        by_jti = {row[0]: row for row in folded.values()}
        assert set(by_jti) == {token.jti for token in self._tokens if not token.revoked}, "not what the responses said"
        await asyncio.gather(*(self._check_token(token, now) for token in self._tokens))
        await asyncio.gather(*(self._check_client(client_id) for client_id in self._clients))

    async def _check_token(self, token: KnownToken, now: datetime) -> None:
        introspect = self._issuer.introspection.introspect
        found = await introspect("gateway", self._secrets["gateway"], token.text)
        assert (found is not None) is token.is_active(now)
        seen_by_api = await introspect("api", self._secrets["api"], token.text)
        assert (seen_by_api == found) is (found is None or "api" in token.audience)
        if found is not None:
            assert (str(found.jti), found.client_id, found.audience) == (token.jti, token.client, token.audience)
            assert found.expires_at == token.expires_at

    async def _check_client(self, client_id: str) -> None:
        known = self._clients[client_id]
        client = await self._issuer.clients.get(client_id)
        assert client == await self._issuer.registry.load(client_id), "the view is not the fold of the stream"
        assert (client.enabled, client.settings.access_token_lifetime) == (known.enabled, known.lifetime)
        assert [(s.secret_id, s.expires_at) for s in client.secrets] == [
            (s.secret_id, s.ends_at) for s in known.secrets
        ]
