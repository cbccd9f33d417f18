"""`token-ledger audit`: read the history of tokens, events and clients."""

import asyncio
import getpass
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import msgspec
import typer

from api.cli.arguments import parse_jti, parse_past, parse_past_or_position
from api.cli.audit import flags
from api.cli.audit.context import run_on_source
from api.cli.audit.event_views import print_event_table
from api.cli.audit.output import choose_format, print_events, print_tokens
from api.cli.audit.source import AsOf, AuditSource, limit_page_size
from api.cli.audit.summary_view import print_summary
from api.cli.flags import ClientId
from api.cli.output import print_json, print_note
from api.cli.tokens.views import TokenEvents, print_token, read_token_events, token_with_events
from api.http.audit.documents import EventDocument, TokenDocument, TokenPageDocument
from api.operations.errors import UsageError
from ledger.domain.clock import utc_now
from ledger.domain.codec import CODEC
from ledger.domain.errors import Unavailable
from ledger.use_cases.audit import EventQuery, TokenQuery

DEFAULT_LIMIT = 100


def token(
    ctx: typer.Context, jti: flags.Jti = None, *, token_stdin: flags.TokenStdin = False, as_of: flags.AsOf = None
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

    found, events = run_on_source(ctx, work)
    if ctx.obj.json:
        print_json(token_with_events(found, events))
    else:
        print_token(found, events)


def tokens(
    ctx: typer.Context,
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
    csv: flags.Csv = False,
) -> None:
    """List the tokens that match every filter as of one moment, newest first."""
    output_format = choose_format(json=ctx.obj.json, csv=csv)
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
    wanted = None if all_ else limit or DEFAULT_LIMIT
    run_on_source(ctx, lambda source: print_tokens(_read_pages(source, query, moment, wanted), output_format))


def client(ctx: typer.Context, client_id: ClientId) -> None:
    """Show who changed a client, when, and from what to what."""
    events = run_on_source(ctx, lambda source: source.read_client_events(client_id))
    if ctx.obj.json:
        print_json({"client_id": client_id, "events": msgspec.to_builtins(events)})
    else:
        print_event_table(events, leave_out=("client_id",))


def summary(
    ctx: typer.Context,
    *,
    since: flags.Since = None,
    until: flags.Until = None,
    bucket: flags.BucketWidth = "hour",
    client_id: flags.Client = None,
) -> None:
    """Count issued, revoked and active tokens over time and per client. Default: the 24 buckets up to now."""
    now = utc_now()
    start = parse_past(since, "--since", now) if since else None
    end = parse_past(until, "--until", now) if until else None
    document = run_on_source(
        ctx, lambda source: source.summarize(since=start, until=end, bucket=bucket, client_id=client_id)
    )
    if ctx.obj.json:
        print_json(msgspec.to_builtins(document))
    else:
        print_summary(document)


async def _read_pages(
    source: AuditSource, query: TokenQuery, as_of: AsOf, limit: int | None
) -> AsyncIterator[TokenPageDocument]:
    """Read at most `limit` tokens, each page when it is requested. If the last has a `next`, more may match."""
    page: TokenPageDocument | None = None
    while page is None or (page.next is not None and limit != 0):
        page = await source.read_token_page(query, as_of, previous=page, limit=limit_page_size(limit))
        yield page
        limit = None if limit is None else limit - len(page.tokens)


def _parse_as_of(text: str | None) -> AsOf:
    return parse_past_or_position(text, "--as-of", utc_now()) if text else None


def _read_token() -> str:
    """Read one line of standard input; a terminal does not echo it."""
    text = (getpass.getpass("Token: ") if sys.stdin.isatty() else sys.stdin.readline()).strip()
    if not text or not text.isascii() or not text.isprintable():
        msg = "--token-stdin: standard input holds no token; give it on one line"
        raise UsageError(msg)
    return text


RETRY_SECONDS = 1.0


def events(
    ctx: typer.Context,
    *,
    type_: flags.Types = None,
    client_id: flags.Client = None,
    subject: flags.Subject = None,
    actor: flags.ByActor = None,
    since: flags.Since = None,
    until: flags.Until = None,
    after: flags.After = None,
    limit: flags.LimitOfEvents = None,
    follow: flags.Follow = False,
    json: flags.JsonLines = False,
    csv: flags.Csv = False,
) -> None:
    """List events in the order of recording, or follow the log with --follow.

    Following resumes after the last position it has printed when the service or the database was unavailable. It never
    skips or repeats an event.
    """
    output_format = choose_format(json=json, csv=csv)
    if follow and (subject is not None or until is not None):
        msg = f"{'--subject' if subject is not None else '--until'} cannot be given with --follow"
        raise UsageError(msg)
    now = utc_now()
    query = EventQuery(
        types=_check_types(type_ or []),
        client_id=client_id,
        subject=subject,
        actor=actor,
        since=parse_past(since, "--since", now) if since else None,
        until=parse_past(until, "--until", now) if until else None,
    )

    async def print_all(source: AuditSource) -> None:
        if follow:
            start = after if after is not None else await source.read_last_position() if since is None else 0
            followed = _take(follow_events(source, query, after=start), limit)
            await print_events(followed, output_format, live=True)
            return
        rest: list[int] = []
        listed = _list_events(source, query, after=after or 0, limit=limit or DEFAULT_LIMIT, rest=rest)
        await print_events(listed, output_format)
        if rest:
            print_note(f"there may be more: continue with --after {rest[0]}, or raise --limit")

    try:
        run_on_source(ctx, print_all)
    except KeyboardInterrupt:
        if not follow:
            raise


async def follow_events(source: AuditSource, query: EventQuery, *, after: int) -> AsyncGenerator[EventDocument]:
    """Yield the events after a position, then new ones without end.

    Errors of the first page are raised. Later the source is retried while it is Unavailable, from the last position.
    """
    page = await source.read_event_page(query, after=after)
    for event in page.events:
        yield event
    position = max(after, page.position)
    disconnected = False
    while True:
        try:
            async with aclosing(source.stream_events(query, after=position)) as stream:
                async for event in stream:
                    disconnected = False
                    if event.position > position:
                        position = event.position
                        if query.since is None or event.recorded_at >= query.since:
                            yield event
        except Unavailable as error:
            if not disconnected:
                print_note(f"waiting: {error}; resuming after position {position}")
            disconnected = True
        await asyncio.sleep(RETRY_SECONDS)


async def _list_events(
    source: AuditSource, query: EventQuery, *, after: int, limit: int, rest: list[int]
) -> AsyncIterator[EventDocument]:
    """Yield at most `limit` events after a position. If there may be more, append the last position to `rest`."""
    position: int | None = after
    remaining = limit
    while position is not None and remaining > 0:
        page = await source.read_event_page(query, after=position, limit=limit_page_size(remaining))
        for event in page.events:
            yield event
        remaining -= len(page.events)
        position = page.next
    if position is not None:
        rest.append(position)


async def _take(events: AsyncGenerator[EventDocument], limit: int | None) -> AsyncIterator[EventDocument]:
    count = 0
    async with aclosing(events):
        async for event in events:
            yield event
            count += 1
            if count == limit:
                return


def _check_types(types: list[str]) -> tuple[str, ...]:
    unknown = sorted(set(types) - set(CODEC.topics))
    if unknown:
        msg = f"--type: {unknown[0]!r} is not an event type; the types are {', '.join(sorted(CODEC.topics))}"
        raise UsageError(msg)
    return tuple(dict.fromkeys(types))
