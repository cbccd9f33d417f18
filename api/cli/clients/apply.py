"""`token-ledger clients apply FILE`."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.clients.views import print_secret
from api.cli.context import CommandContext, run_on_issuer
from api.cli.flags import option
from api.cli.output import print_json, print_note, print_result
from api.operations.client_changes import ClientChange, GeneratedSecrets, apply_changes, plan_changes
from api.operations.clients_file import read_clients_file
from ledger.domain.clock import utc_now

File = Annotated[
    Path, typer.Argument(metavar="FILE", help="A TOML file with one [clients.CLIENT_ID] table per client.")
]
DryRun = Annotated[bool, option("--dry-run", "Show the changes without making them.")]


def apply(ctx: typer.Context, file: File, *, dry_run: DryRun = False) -> None:
    """Register and update clients as FILE declares. Running it again changes nothing.

    The whole file is checked before the first change. Clients that the file does not name are not changed.
    """
    declared = read_clients_file(file, os.environ)

    async def work(context: CommandContext) -> None:
        registered = {client.client_id: client for client in await context.issuer.clients.list_all()}
        changes = plan_changes(declared, registered, utc_now())
        others = sorted(registered.keys() - {client.client_id for client in declared})
        generated: GeneratedSecrets = {}
        complete = False
        try:
            if not dry_run:
                await apply_changes(context.issuer.registry, changes, context.cause, generated)
            complete = True
        finally:  # after a failure this is the only chance to show the secrets generated so far
            if ctx.obj.json:
                print_json(_document(changes, generated, others, dry_run=dry_run, complete=complete))
            else:
                if complete:
                    _print_changes(changes, others, dry_run=dry_run)
                for client_id, secret in generated.items():
                    print_secret(client_id, *secret)

    run_on_issuer(ctx.obj, work)


def _print_changes(changes: list[ClientChange], others: list[str], *, dry_run: bool) -> None:
    for change in changes:
        disabled = "" if change.enabled else " (disabled; the file does not change that)"
        print_result(f"{change.action:<9}  {change.declared.client_id}{disabled}")
        for field, (old, new) in change.fields.items():
            print_result(f"    {field}: {_format_value(old)} -> {_format_value(new)}")
        for _ in change.new_secrets:
            print_result("    secrets: one added")
        if change.generate_secret:
            print_result("    secrets: one generated")
    if others:
        print_note(f"not changed, because the file does not name them: {', '.join(others)}")
    if dry_run:
        print_note("dry run: nothing was changed")


def _format_value(value: Any) -> str:
    return "[" + ", ".join(value) + "]" if isinstance(value, tuple) else str(value)


def _document(
    changes: list[ClientChange], generated: GeneratedSecrets, others: list[str], *, dry_run: bool, complete: bool
) -> dict[str, Any]:
    clients: list[dict[str, Any]] = []
    for change in changes:
        document: dict[str, Any] = {
            "client_id": change.declared.client_id,
            "action": change.action,
            "enabled": change.enabled,
            "fields": {field: {"from": old, "to": new} for field, (old, new) in change.fields.items()},
            "secrets_added": len(change.new_secrets) + change.generate_secret,
        }
        if secret := generated.get(change.declared.client_id):
            document |= {"secret_id": secret[0], "client_secret": secret[1]}
        clients.append(document)
    return {"dry_run": dry_run, "complete": complete, "clients": clients, "left_alone": others}
