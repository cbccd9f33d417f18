"""Plan and apply the changes that bring registered clients to their declared state.

The whole plan is made, or refused, before the first change is recorded. Clients that are not declared are not changed.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import asdict
from pydantic import SecretStr

from api.operations.clients_file import DeclaredClient
from ledger.domain.client import MAX_VALID_SECRETS, Client
from ledger.domain.errors import InvalidRegistration
from ledger.domain.events import StoredSecret
from ledger.domain.recording import Cause
from ledger.domain.secrets import verify_chosen_secret, verify_generated_secret
from ledger.use_cases.client_registry import ClientRegistry


class ClientChange(Struct, frozen=True):
    """The changes of one client.

    `fields` has the old and new values of changed settings, `new_secrets` the declared secrets not accepted yet.
    """

    declared: DeclaredClient
    action: Literal["added", "changed", "unchanged"]
    fields: Mapping[str, tuple[Any, Any]] = {}
    new_secrets: tuple[SecretStr, ...] = ()
    generate_secret: bool = False
    enabled: bool = True


GeneratedSecrets = dict[str, tuple[str, str]]
"""For the id of a client, the id of its generated secret and the secret, to be shown once."""


def plan_changes(
    declared: Iterable[DeclaredClient], registered: Mapping[str, Client], now: datetime
) -> list[ClientChange]:
    """Plan the changes of all clients. Comparing a chosen secret takes tens of milliseconds.

    Raises InvalidRegistration, with one line per client that cannot be changed as declared.
    """
    changes, problems = [], []
    for client in declared:
        try:
            changes.append(_plan_client(client, registered.get(client.client_id), now))
        except InvalidRegistration as error:
            problems.append(f"client {client.client_id!r}: {error}")
    if problems:
        raise InvalidRegistration("\n".join(problems))
    return changes


def _plan_client(declared: DeclaredClient, client: Client | None, now: datetime) -> ClientChange:
    wanted = tuple({s.get_secret_value(): s for s in declared.secrets or ()}.values())
    valid = client.valid_secrets(now) if client is not None else ()
    new = tuple(secret for secret in wanted if not any(_accepts(stored, secret) for stored in valid))
    if len(valid) + len(new) > MAX_VALID_SECRETS:
        msg = (
            f"it would have {len(valid) + len(new)} valid secrets, of at most {MAX_VALID_SECRETS}: retire one of "
            f"{', '.join(s.secret_id for s in valid) or 'those declared'} with 'token-ledger clients retire-secret'"
        )
        raise InvalidRegistration(msg)
    if client is None:
        return ClientChange(declared, "added", {}, new, generate_secret=declared.secrets is None)
    if client.settings.demo != declared.settings.demo:
        kind = "a demo client" if client.settings.demo else "not a demo client"
        msg = f"it is registered as {kind}, which cannot be changed: use another id"
        raise InvalidRegistration(msg)
    before, after = asdict(client.settings), asdict(declared.settings)
    fields = {name: (before[name], after[name]) for name in before if before[name] != after[name]}
    # A client without any secret was registered by a run that failed before it generated the secret.
    generate = declared.secrets is None and not client.secrets
    action: Literal["changed", "unchanged"] = "changed" if fields or new or generate else "unchanged"
    return ClientChange(declared, action, fields, new, generate, client.enabled)


async def apply_changes(
    registry: ClientRegistry, changes: Sequence[ClientChange], cause: Cause, generated: GeneratedSecrets
) -> None:
    """Apply the changes in order, and add each generated secret to `generated`, which is the only copy of it.

    After an error `generated` has the secrets generated so far; running it again applies the rest. Raises the errors of
    ClientRegistry.
    """
    for change in changes:
        client_id = change.declared.client_id
        if change.action == "added":
            await registry.register(client_id, change.declared.settings, cause)
        elif change.fields:
            await registry.update(client_id, change.declared.settings, cause)
        for secret in change.new_secrets:
            await registry.add_chosen_secret(client_id, secret.get_secret_value(), cause)
        if change.generate_secret:
            generated[client_id] = await registry.add_generated_secret(client_id, cause)


def _accepts(stored: StoredSecret, secret: SecretStr) -> bool:
    """Compare a secret with a stored one; this takes tens of milliseconds for a chosen secret."""
    text = secret.get_secret_value()
    return verify_generated_secret(text, stored) if stored.kind == "sha256" else verify_chosen_secret(text, stored.hash)
