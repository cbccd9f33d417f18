"""`token-ledger audit events`: list events, or follow the log."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import typer

from api.cli import flags as shared
from api.cli.arguments import parse_past
from api.cli.audit import flags
from api.cli.audit.commands import DEFAULT_LIMIT
from api.cli.audit.context import AuditFlags, run_on_source
from api.cli.audit.output import choose_format, print_events
from api.cli.audit.source import AuditSource, limit_page_size
from api.cli.context import DatabaseFlags
from api.cli.output import print_note
from api.http.audit.documents import EventDocument
from api.operations.errors import UsageError
from ledger.domain.clock import utc_now
from ledger.domain.codec import CODEC
from ledger.domain.errors import Unavailable
from ledger.use_cases.audit import EventQuery

RETRY_SECONDS = 1.0


def events(
    context: typer.Context,
    *,
    type_: flags.Types = None,
    client_id: flags.Client = None,
    subject: flags.Subject = None,
    actor: flags.ByActor = None,
    since: flags.Since = None,
    until: flags.Until = None,
    after: flags.AfterPosition = None,
    limit: flags.LimitOfEvents = None,
    follow: flags.Follow = False,
    json: flags.JsonLines = False,
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

    database = DatabaseFlags(dsn=dsn, embedded=embedded, issuers=issuers, issuer=issuer)
    given = AuditFlags(context, url, audit_client_id, audit_secret_file, audit_token_file, database)
    try:
        run_on_source(given, print_all)
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
