"""`token-ledger audit token`, `tokens`, `client` and `summary`."""

import getpass
import sys
from typing import Annotated

import msgspec
import typer

from api.cli import flags as shared
from api.cli.arguments import parse_jti, parse_past, parse_past_or_position
from api.cli.audit import flags
from api.cli.audit.context import AuditFlags, run_on_source
from api.cli.audit.event_views import print_client_events
from api.cli.audit.output import choose_format, print_tokens
from api.cli.audit.source import AsOf, AuditSource, SummaryQuery
from api.cli.audit.summary_view import print_summary
from api.cli.context import DatabaseFlags
from api.cli.output import print_json
from api.cli.tokens.views import TokenEvents, print_token, read_token_events, token_with_events
from api.http.audit.documents import TokenDocument
from api.operations.errors import UsageError
from ledger.domain.clock import utc_now
from ledger.use_cases.audit import TokenQuery

DEFAULT_LIMIT = 100

ClientId = Annotated[str, typer.Argument(metavar="CLIENT_ID", help="The client's id.")]


def token(
    context: typer.Context,
    jti: flags.Jti = None,
    *,
    token_stdin: flags.TokenStdin = False,
    as_of: flags.AsOf = None,
    json: shared.Json = False,
    url: flags.Url = None,
    audit_client_id: flags.AuditClientId = None,
    audit_secret_file: flags.AuditSecretFile = None,
    audit_token_file: flags.AuditTokenFile = None,
    dsn: shared.Dsn = None,
    embedded: shared.Embedded = None,
    issuers: shared.Issuers = None,
    issuer: shared.IssuerChoice = None,
) -> None:
    """Explain a token: its state, who issued and revoked it and why, its fields, and its events.

    Name it by its jti, or give the token itself on standard input with --token-stdin. Never give a token as an
    argument: every local user can read it.
    """
    moment = _parse_as_of(as_of)
    if token_stdin == (jti is not None):
        msg = "give either a JTI, or --token-stdin with the token on standard input"
        raise UsageError(msg)
    identifier = None if jti is None else parse_jti(jti)
    presented = _read_token() if identifier is None else ""

    async def work(source: AuditSource) -> tuple[TokenDocument, TokenEvents]:
        if identifier is None:
            found = await source.find_presented_token(presented, moment)
        else:
            found = await source.find_token(identifier, moment)
        events = await read_token_events(source, found.jti)
        until = found.as_of.position
        return found, TokenEvents([event for event in events.events if event.position <= until], events.archived)

    database = DatabaseFlags(dsn=dsn, embedded=embedded, issuers=issuers, issuer=issuer)
    given = AuditFlags(context, url, audit_client_id, audit_secret_file, audit_token_file, database)
    found, events = run_on_source(given, work)
    if json:
        print_json(token_with_events(found, events))
    else:
        print_token(found, events)


def tokens(
    context: typer.Context,
    *,
    client_id: flags.Client = None,
    subject: flags.Subject = None,
    scope: flags.Scope = None,
    status: flags.Status = None,
    issued_after: flags.IssuedAfter = None,
    issued_before: flags.IssuedBefore = None,
    as_of: flags.AsOf = None,
    limit: flags.Limit = None,
    all_: flags.All = False,
    json: shared.Json = False,
    csv: flags.Csv = False,
    url: flags.Url = None,
    audit_client_id: flags.AuditClientId = None,
    audit_secret_file: flags.AuditSecretFile = None,
    audit_token_file: flags.AuditTokenFile = None,
    dsn: shared.Dsn = None,
    embedded: shared.Embedded = None,
    issuers: shared.Issuers = None,
    issuer: shared.IssuerChoice = None,
) -> None:
    """List the tokens that match every filter as of one moment, newest first."""
    output_format = choose_format(json=json, csv=csv)
    if all_ and limit is not None:
        msg = "--limit and --all exclude each other"
        raise UsageError(msg)
    now = utc_now()
    query = TokenQuery(
        client_id=client_id,
        subject=subject,
        scope=scope,
        status=status,
        issued_after=parse_past(issued_after, "--issued-after", now) if issued_after else None,
        issued_before=parse_past(issued_before, "--issued-before", now) if issued_before else None,
    )
    moment = _parse_as_of(as_of)
    max_tokens = None if all_ else limit or DEFAULT_LIMIT
    database = DatabaseFlags(dsn=dsn, embedded=embedded, issuers=issuers, issuer=issuer)
    given = AuditFlags(context, url, audit_client_id, audit_secret_file, audit_token_file, database)
    run_on_source(
        given,
        lambda source: print_tokens(source.read_token_pages(query, moment, limit=max_tokens), output_format),
    )


def client(
    context: typer.Context,
    client_id: ClientId,
    *,
    json: shared.Json = False,
    url: flags.Url = None,
    audit_client_id: flags.AuditClientId = None,
    audit_secret_file: flags.AuditSecretFile = None,
    audit_token_file: flags.AuditTokenFile = None,
    dsn: shared.Dsn = None,
    embedded: shared.Embedded = None,
    issuers: shared.Issuers = None,
    issuer: shared.IssuerChoice = None,
) -> None:
    """Show who changed a client, when, and from what to what."""
    database = DatabaseFlags(dsn=dsn, embedded=embedded, issuers=issuers, issuer=issuer)
    given = AuditFlags(context, url, audit_client_id, audit_secret_file, audit_token_file, database)
    events = run_on_source(
        given,
        lambda source: source.read_client_events(client_id),
    )
    if json:
        print_json({"client_id": client_id, "events": msgspec.to_builtins(events)})
    else:
        print_client_events(events)


def summary(
    context: typer.Context,
    *,
    since: flags.Since = None,
    until: flags.Until = None,
    bucket: flags.BucketWidth = "hour",
    client_id: flags.Client = None,
    json: shared.Json = False,
    url: flags.Url = None,
    audit_client_id: flags.AuditClientId = None,
    audit_secret_file: flags.AuditSecretFile = None,
    audit_token_file: flags.AuditTokenFile = None,
    dsn: shared.Dsn = None,
    embedded: shared.Embedded = None,
    issuers: shared.Issuers = None,
    issuer: shared.IssuerChoice = None,
) -> None:
    """Count issued, revoked and active tokens over time and per client. Default: the 24 buckets up to now."""
    now = utc_now()
    query = SummaryQuery(
        since=parse_past(since, "--since", now) if since else None,
        until=parse_past(until, "--until", now) if until else None,
        bucket=bucket,
        client_id=client_id,
    )
    database = DatabaseFlags(dsn=dsn, embedded=embedded, issuers=issuers, issuer=issuer)
    given = AuditFlags(context, url, audit_client_id, audit_secret_file, audit_token_file, database)
    document = run_on_source(
        given,
        lambda source: source.summarize(query),
    )
    if json:
        print_json(msgspec.to_builtins(document))
    else:
        print_summary(document)


def _parse_as_of(text: str | None) -> AsOf:
    return parse_past_or_position(text, "--as-of", utc_now()) if text else None


def _read_token() -> str:
    """Read one line of standard input; a terminal does not echo it."""
    text = (getpass.getpass("Token: ") if sys.stdin.isatty() else sys.stdin.readline()).strip()
    if not text or not text.isascii() or not text.isprintable():
        msg = "--token-stdin: standard input holds no token; give it on one line"
        raise UsageError(msg)
    return text
