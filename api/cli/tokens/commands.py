"""`token-ledger tokens history` and `revoke`."""

from typing import Annotated

import typer

from api.cli.arguments import check_reason, parse_jti
from api.cli.context import CommandContext, run_on_issuer
from api.cli.flags import Reason
from api.cli.output import print_json, print_result
from api.cli.tokens.views import TokenEvents, print_token_events, read_token_events, token_with_events
from api.http.audit.documents import TokenDocument
from ledger.domain.errors import UnknownToken

Jti = Annotated[
    str,
    typer.Argument(metavar="JTI", help="The token's id: the jti of an introspection response, not the token itself."),
]


def history(ctx: typer.Context, jti: Jti) -> None:
    """Show every event of a token and its current state, even if it is expired or revoked."""
    identifier = parse_jti(jti)

    async def work(context: CommandContext) -> tuple[TokenDocument, TokenEvents]:
        history = context.history
        return await history.find_token(identifier), await read_token_events(history, identifier)

    token, events = run_on_issuer(ctx.obj, work)
    if ctx.obj.json:
        print_json(token_with_events(token, events))
    else:
        print_token_events(events)
        print_result()
        print_result(token.explanation)


def revoke(ctx: typer.Context, jti: Jti, *, reason: Reason = "revoked by an operator") -> None:
    """Revoke a token. When the command returns, every process treats it as inactive."""
    identifier, checked = parse_jti(jti), check_reason(reason)

    async def work(context: CommandContext) -> tuple[int | None, TokenDocument]:
        try:
            position = await context.issuer.revocation.revoke_by_jti(identifier, checked, context.cause)
        except UnknownToken:  # an archived token has ended too; find_token tells the two apart
            position = None
        return position, await context.history.find_token(identifier)

    position, token = run_on_issuer(ctx.obj, work)
    if ctx.obj.json:
        print_json({"jti": jti, "revoked_now": position is not None, "position": position, "state": token.state})
    elif position is None:
        print_result(f"nothing to revoke: {token.explanation}")
    else:
        print_result(f"revoked at position {position}: {token.explanation}")
