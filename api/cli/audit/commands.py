"""`token-ledger audit token`, `client` and `summary`: questions with one answer."""

import getpass
import sys
from typing import Annotated

import msgspec
import typer

from api.cli import flags as shared
from api.cli.audit import flags
from api.cli.audit.event_views import show_client_events
from api.cli.audit.opening import audit_command
from api.cli.audit.source import AsOf, AuditSource, SummaryQuestion
from api.cli.audit.summary_view import show_summary
from api.cli.output import print_json
from api.cli.times import instant_or_position, moment_of_past
from api.cli.tokens.commands import parse_jti
from api.cli.tokens.token_events import TokenEvents, events_of
from api.cli.tokens.views import show_token, token_with_events
from api.operations.errors import UsageError
from ledger.domain.clock import utc_now

audit = typer.Typer(help="Ask what became of tokens and clients: now, or as of any moment.", no_args_is_help=True)

ClientId = Annotated[str, typer.Argument(metavar="CLIENT_ID", help="The client's id.")]


@audit.command("token")
@audit_command
async def token(
    source: AuditSource,
    jti: flags.Jti = None,
    *,
    token_stdin: flags.TokenStdin = False,
    as_of: flags.AsOf = None,
    json: shared.Json = False,
) -> None:
    """Explain a token: its state, since when, by whom and why, what it was for, and each of its events.

    Name it by its jti, or put the token itself on standard input with --token-stdin; never in an argument, which every
    user of the machine can read.
    """
    moment = parse_as_of(as_of)
    if token_stdin == (jti is not None):
        msg = "name one token: by its JTI, or with --token-stdin by the token itself on standard input"
        raise UsageError(msg)
    if jti is None:
        found = await source.presented_token(_read_token(), moment)
    else:
        found = await source.token(parse_jti(jti), moment)
    events = await events_of(source, found.jti)
    by_then = [event for event in events.there if event.position <= found.as_of.position]
    events = TokenEvents(by_then, events.archived)
    if json:
        print_json(token_with_events(found, events))
    else:
        show_token(found, events)


@audit.command("client")
@audit_command
async def client(source: AuditSource, client_id: ClientId, *, json: shared.Json = False) -> None:
    """Tell who changed a client, when, and from what to what."""
    events = await source.client_events(client_id)
    if json:
        print_json({"client_id": client_id, "events": msgspec.to_builtins(events)})
    else:
        show_client_events(events)


@audit.command("summary")
@audit_command
async def summary(
    source: AuditSource,
    *,
    since: flags.Since = None,
    until: flags.Until = None,
    bucket: flags.BucketWidth = "hour",
    client_id: flags.Client = None,
    json: shared.Json = False,
) -> None:
    """Count what was issued, revoked and active over time, and per client. Default: the 24 buckets up to now."""
    now = utc_now()
    question = SummaryQuestion(
        since=moment_of_past(since, "--since", now) if since else None,
        until=moment_of_past(until, "--until", now) if until else None,
        bucket=bucket,
        client_id=client_id,
    )
    document = await source.summary(question)
    if json:
        print_json(msgspec.to_builtins(document))
    else:
        show_summary(document)


def parse_as_of(text: str | None) -> AsOf:
    """The moment of --as-of. Raises OperationError."""
    return instant_or_position(text, "--as-of", utc_now()) if text else None


def _read_token() -> str:
    """A line of standard input; it is not shown where a person types it."""
    text = (getpass.getpass("Token: ") if sys.stdin.isatty() else sys.stdin.readline()).strip()
    if not text or not text.isascii() or not text.isprintable():
        msg = "--token-stdin: standard input holds no token; put it there, alone on its line"
        raise UsageError(msg)
    return text
