"""`token-ledger clients apply FILE`: make the clients what a file says."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli import flags
from api.cli.clients.commands import clients
from api.cli.context import Desk, issuer_command
from api.cli.output import print_json, print_note, print_result
from api.cli.secret_output import show_secret
from api.operations.client_changes import ClientChange, FieldChange, GeneratedSecret, carry_out, plan_changes
from api.operations.clients_file import read_clients_file
from ledger.domain.clock import utc_now

File = Annotated[Path, typer.Argument(metavar="FILE", help="A TOML file with a table [clients.CLIENT_ID] each.")]
DryRun = Annotated[bool, flags.of_command("DRY_RUN", "--dry-run", help="Show what would change, and change nothing.")]


@clients.command("apply")
@issuer_command
async def apply(desk: Desk, file: File, *, dry_run: DryRun = False, json: flags.Json = False) -> None:
    """Register and update clients as FILE says. Running it again changes nothing.

    The whole file is checked before the first change. Clients that are not in it are neither disabled nor removed.
    """
    declared = read_clients_file(file, os.environ)
    registered = {client.client_id: client for client in await desk.issuer.clients.all()}
    changes = plan_changes(declared, registered, utc_now())
    generated: list[GeneratedSecret] = []
    others = sorted(registered.keys() - {client.client_id for client in declared})
    complete = False
    try:
        if not dry_run:
            await carry_out(desk.issuer.registry, changes, desk.cause, generated)
        complete = True
    finally:  # secrets generated before it broke off are not seen again
        if json:
            print_json(_document(changes, generated, others, dry_run=dry_run, complete=complete))
        elif complete:
            _print_changes(changes, others, dry_run=dry_run)
        if not json:
            for secret in generated:
                show_secret(secret.client_id, secret.secret_id, secret.secret.get_secret_value())


def _print_changes(changes: list[ClientChange], others: list[str], *, dry_run: bool) -> None:
    for change in changes:
        print_result(_line(change))
        for field in change.fields:
            print_result(f"    {field.field}: {_shown(field.old)} -> {_shown(field.new)}")
        for _ in change.new_secrets:
            print_result("    secrets: one added")
        if change.generate_secret:
            print_result("    secrets: one generated")
    if others:
        print_note(f"left alone, as the file does not name them: {', '.join(others)}")
    if dry_run:
        print_note("dry run: nothing was changed")


def _line(change: ClientChange) -> str:
    disabled = "" if change.enabled else " (disabled; the file does not change that)"
    return f"{change.action:<9}  {change.declared.client_id}{disabled}"


def _shown(value: Any) -> str:
    return "[" + ", ".join(value) + "]" if isinstance(value, tuple) else str(value)


def _document(
    changes: list[ClientChange], generated: list[GeneratedSecret], others: list[str], *, dry_run: bool, complete: bool
) -> dict[str, Any]:
    secrets = {secret.client_id: secret for secret in generated}

    def one(change: ClientChange) -> dict[str, Any]:
        document: dict[str, Any] = {
            "client_id": change.declared.client_id,
            "action": change.action,
            "enabled": change.enabled,
            "fields": {field.field: _field(field) for field in change.fields},
            "secrets_added": len(change.new_secrets) + change.generate_secret,
        }
        secret = secrets.get(change.declared.client_id)
        if secret is not None:
            document |= {"secret_id": secret.secret_id, "client_secret": secret.secret.get_secret_value()}
        return document

    return {
        "dry_run": dry_run,
        "complete": complete,
        "clients": [one(change) for change in changes],
        "left_alone": others,
    }


def _field(change: FieldChange) -> dict[str, Any]:
    return {"from": change.old, "to": change.new}
