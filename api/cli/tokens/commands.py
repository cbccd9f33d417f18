"""`token-ledger tokens history` and `revoke`."""

from typing import Annotated

import typer

from api.cli import flags
from api.cli.arguments import check_reason, parse_jti
from api.cli.context import CommandContext, DatabaseFlags, run_on_issuer
from api.cli.output import print_json, print_result
from api.cli.tokens.views import TokenEvents, print_token_history, read_token_events, token_with_events
from api.http.audit.documents import TokenDocument
from ledger.domain.errors import UnknownToken

Jti = Annotated[
    str,
    typer.Argument(metavar="JTI", help="The token's id: the jti of an introspection response, not the token itself."),
]


def history(
    jti: Jti,
    *,
    json: flags.Json = False,
    dsn: flags.Dsn = None,
    embedded: flags.Embedded = None,
    issuers: flags.Issuers = None,
    issuer: flags.IssuerChoice = None,
) -> None:
    """Show every event of a token and its current state, even if it is expired or revoked."""
    identifier = parse_jti(jti)

    async def work(context: CommandContext) -> tuple[TokenDocument, TokenEvents]:
        history = context.history
        return await history.find_token(identifier), await read_token_events(history, identifier)

    database = DatabaseFlags(dsn=dsn, embedded=embedded, issuers=issuers, issuer=issuer)
    token, events = run_on_issuer(database, work)
    if json:
        print_json(token_with_events(token, events))
    else:
        print_token_history(token, events)


def revoke(
    jti: Jti,
    *,
    reason: flags.Reason = "revoked by an operator",
    json: flags.Json = False,
    dsn: flags.Dsn = None,
    embedded: flags.Embedded = None,
    issuers: flags.Issuers = None,
    issuer: flags.IssuerChoice = None,
    actor: flags.Actor = None,
) -> None:
    """Revoke a token. When the command returns, every process treats it as inactive."""
    identifier, checked = parse_jti(jti), check_reason(reason)

    async def work(context: CommandContext) -> tuple[int | None, TokenDocument]:
        try:
            position = await context.issuer.revocation.revoke_by_jti(identifier, checked, context.cause)
        except UnknownToken:  # an archived token has ended too; find_token tells the two apart
            position = None
        return position, await context.history.find_token(identifier)

    database = DatabaseFlags(dsn=dsn, embedded=embedded, issuers=issuers, issuer=issuer)
    position, token = run_on_issuer(database, work, actor=actor)
    if json:
        print_json({"jti": jti, "revoked_now": position is not None, "position": position, "state": token.state})
    elif position is None:
        print_result(f"nothing to revoke: {token.explanation}")
    else:
        print_result(f"revoked at position {position}: {token.explanation}")
