"""`token-ledger tokens`: what became of a token, and ending one."""

from typing import Annotated
from uuid import UUID

import typer

from api.cli import flags
from api.cli.context import Desk, issuer_command
from api.cli.output import print_json, print_result
from api.cli.tokens.token_events import events_of
from api.cli.tokens.views import show_history, token_with_events
from api.operations.errors import UsageError
from ledger.domain.errors import UnknownToken

tokens = typer.Typer(help="Look into tokens by their jti, and revoke them.", no_args_is_help=True)

Jti = Annotated[
    str, typer.Argument(metavar="JTI", help="The token's id: the jti that introspection answers, not the token itself.")
]


@tokens.command("history")
@issuer_command
async def history(desk: Desk, jti: Jti, *, json: flags.Json = False) -> None:
    """Show every event of a token, also of one expired or revoked, and what it comes to."""
    history = desk.history
    token = await history.token(parse_jti(jti))
    events = await events_of(history, token.jti)
    if json:
        print_json(token_with_events(token, events))
    else:
        show_history(token, events)


@tokens.command("revoke")
@issuer_command
async def revoke(
    desk: Desk, jti: Jti, *, reason: flags.Reason = "revoked by an operator", json: flags.Json = False
) -> None:
    """Revoke a token. From the moment this returns, no process says that it is active."""
    identifier = parse_jti(jti)
    try:
        position = await desk.issuer.revocation.revoke_by_jti(identifier, checked_reason(reason), desk.cause)
    except UnknownToken:  # or one that is archived, which the next line knows: it has ended
        position = None
    token = await desk.history.token(identifier)
    if json:
        print_json({"jti": jti, "revoked_now": position is not None, "position": position, "state": token.state})
    elif position is None:
        print_result(f"nothing to revoke: {token.explanation}")
    else:
        print_result(f"revoked at position {position}: {token.explanation}")


def parse_jti(text: str) -> UUID:
    """The UUID of an argument. Raises OperationError without quoting it: it may be a token pasted by mistake."""
    try:
        return UUID(text)
    except ValueError:
        msg = "JTI must be a UUID, such as 0190b5d2-6f3e-7c1a-9a3e-5f1f6f0b7c11: the 'jti' that introspection answers"
        raise UsageError(msg) from None


def checked_reason(reason: str) -> str:
    """A reason that can be shown as it is. Raises OperationError."""
    if not reason.strip() or len(reason) > 500 or not reason.isprintable():  # noqa: PLR2004 (a long sentence)
        msg = "--reason must be 1 to 500 printable characters on one line"
        raise UsageError(msg)
    return reason
