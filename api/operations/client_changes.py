"""From clients as they are to clients as they should be: what to change, and changing it.

A plan is made for all clients, and refused as a whole, before the first change is recorded. Clients that are not
declared are left alone.
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
from ledger.domain.events import ClientSettings, StoredSecret
from ledger.domain.recording import Cause
from ledger.domain.secrets import verify_chosen_secret, verify_generated_secret
from ledger.use_cases.client_registry import ClientRegistry


class FieldChange(Struct, frozen=True):
    """A field of a client's settings that changes."""

    field: str
    old: Any
    new: Any


class ClientChange(Struct, frozen=True):
    """What it takes to bring one client to what is declared; `new_secrets` are those it does not accept yet."""

    declared: DeclaredClient
    action: Literal["added", "changed", "unchanged"]
    fields: tuple[FieldChange, ...] = ()
    new_secrets: tuple[SecretStr, ...] = ()
    generate_secret: bool = False
    enabled: bool = True


class GeneratedSecret(Struct, frozen=True):
    """A secret that was generated, on its way to whoever needs it."""

    client_id: str
    secret_id: str
    secret: SecretStr


def plan_changes(
    declared: Iterable[DeclaredClient], registered: Mapping[str, Client], now: datetime
) -> list[ClientChange]:
    """What there is to change. Comparing chosen secrets takes tens of milliseconds each.

    Raises InvalidRegistration with one line for each client that cannot become what is declared.
    """
    changes, problems = [], []
    for client in declared:
        try:
            changes.append(_plan(client, registered.get(client.client_id), now))
        except InvalidRegistration as error:
            problems.append(f"client {client.client_id!r}: {error}")
    if problems:
        raise InvalidRegistration("\n".join(problems))
    return changes


def _plan(declared: DeclaredClient, client: Client | None, now: datetime) -> ClientChange:
    wanted = tuple({s.get_secret_value(): s for s in declared.secrets or ()}.values())
    valid = client.valid_secrets(now) if client is not None else ()
    new = tuple(secret for secret in wanted if not any(accepts(stored, secret) for stored in valid))
    if len(valid) + len(new) > MAX_VALID_SECRETS:
        msg = (
            f"it would have {len(valid) + len(new)} valid secrets, and may have {MAX_VALID_SECRETS}: retire one of "
            f"{', '.join(s.secret_id for s in valid) or 'those declared'} with 'token-ledger clients retire-secret'"
        )
        raise InvalidRegistration(msg)
    if client is None:
        return ClientChange(declared, "added", (), new, generate_secret=declared.secrets is None)
    if client.settings.demo != declared.settings.demo:
        kind = "a demo client" if client.settings.demo else "not a demo client"
        msg = f"it is registered as {kind}, and that cannot be changed: use another id"
        raise InvalidRegistration(msg)
    fields = compare_settings(client.settings, declared.settings)
    # A client that never had a secret was left behind by a run that broke off.
    generate = declared.secrets is None and not client.secrets
    action: Literal["changed", "unchanged"] = "changed" if fields or new or generate else "unchanged"
    return ClientChange(declared, action, fields, new, generate, client.enabled)


async def carry_out(
    registry: ClientRegistry, changes: Sequence[ClientChange], cause: Cause, generated: list[GeneratedSecret]
) -> None:
    """Make the changes, in order. Secrets that are generated are added to `generated` and cannot be seen again.

    The list holds them also when this breaks off; running it again then does what is left. Raises as ClientRegistry
    does.
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
            secret_id, text = await registry.add_generated_secret(client_id, cause)
            generated.append(GeneratedSecret(client_id, secret_id, SecretStr(text)))


def compare_settings(old: ClientSettings, new: ClientSettings) -> tuple[FieldChange, ...]:
    """The fields that differ, in the order they are declared."""
    before, after = asdict(old), asdict(new)
    return tuple(FieldChange(name, before[name], after[name]) for name in before if before[name] != after[name])


def accepts(stored: StoredSecret, secret: SecretStr) -> bool:
    """Whether a stored secret is this one. Takes tens of milliseconds for a chosen one."""
    text = secret.get_secret_value()
    return verify_generated_secret(text, stored) if stored.kind == "sha256" else verify_chosen_secret(text, stored.hash)
