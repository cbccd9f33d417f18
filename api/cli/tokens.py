"""`token-ledger tokens`: what became of a token, and ending one."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
import typer

from api.cli import flags
from api.cli.event_lines import COLUMNS, EventLine, event_lines, explain
from api.cli.exit_codes import CommandError, ExitCode
from api.cli.issuer_commands import Desk, issuer_command
from api.cli.output import as_json, as_table, say
from ledger.clock import utc_now
from ledger.errors import UnknownToken
from ledger.grant import fold_grant
from ledger.recording import EventMapper

tokens = typer.Typer(help="Look into tokens by their jti, and revoke them.", no_args_is_help=True)

Jti = Annotated[
    str, typer.Argument(metavar="JTI", help="The token's id: the jti that introspection answers, not the token itself.")
]


@tokens.command("history")
@issuer_command
async def history(desk: Desk, jti: Jti, *, json: flags.Json = False) -> None:
    """Show every event of a token, also of one expired or revoked, and what it comes to."""
    state, explanation, lines = await token_history(desk, parse_jti(jti), utc_now())
    if json:
        as_json(
            {"jti": jti, "state": state, "explanation": explanation, "events": [msgspec.to_builtins(x) for x in lines]}
        )
        return
    as_table(COLUMNS, [line.cells() for line in lines])
    say()
    say(explanation)


@tokens.command("revoke")
@issuer_command
async def revoke(
    desk: Desk, jti: Jti, *, reason: flags.Reason = "revoked by an operator", json: flags.Json = False
) -> None:
    """Revoke a token. From the moment this returns, no process says that it is active."""
    identifier = parse_jti(jti)
    position = await desk.issuer.revocation.by_operator(identifier, checked_reason(reason), desk.cause)
    state, explanation, _ = await token_history(desk, identifier, utc_now())
    if json:
        as_json({"jti": jti, "revoked_now": position is not None, "position": position, "state": state})
    elif position is None:
        say(f"nothing to revoke: {explanation}")
    else:
        say(f"revoked at position {position}: {explanation}")


async def token_history(desk: Desk, jti: UUID, now: datetime) -> tuple[str, str, list[EventLine]]:
    """State, explanation and events of a token. Raises UnknownToken, Unavailable."""
    rows = await desk.issuer.streams.select_events(jti)
    if not rows or not rows[0].topic.startswith("token."):
        msg = f"no token with jti {jti} was ever issued by {desk.issuer.identifier.url}"
        raise UnknownToken(msg)
    mapper = EventMapper()
    grant = fold_grant(mapper.to_domain_event(row) for row in rows)
    lines = event_lines(rows, leave_out=("jti",))
    if grant is None:  # a stream with rows folds to something
        raise AssertionError
    revoked = next((line for line in lines if line.event == "token.revoked"), None)
    return *explain(grant, lines[0], revoked, now), lines


def parse_jti(text: str) -> UUID:
    """The UUID of an argument. Raises CommandError without quoting it: it may be a token pasted by mistake."""
    try:
        return UUID(text)
    except ValueError:
        msg = "JTI must be a UUID, such as 0190b5d2-6f3e-7c1a-9a3e-5f1f6f0b7c11: the 'jti' that introspection answers"
        raise CommandError(msg, ExitCode.USAGE) from None


def checked_reason(reason: str) -> str:
    """A reason that can be shown as it is. Raises CommandError."""
    if not reason.strip() or len(reason) > 500 or not reason.isprintable():  # noqa: PLR2004 (a long sentence)
        msg = "--reason must be 1 to 500 printable characters on one line"
        raise CommandError(msg, ExitCode.USAGE)
    return reason
