"""`token-ledger audit tokens` and `events`: questions with many answers, fetched page by page as they are printed."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from api.cli import flags as shared
from api.cli.audit import flags
from api.cli.audit.commands import audit, parse_as_of
from api.cli.audit.following import follow as follow_log
from api.cli.audit.opening import audit_command
from api.cli.audit.output import chosen_format, print_events, print_tokens
from api.cli.audit.source import AuditSource, page_size
from api.cli.output import print_note
from api.cli.times import moment_of_past
from api.http.audit.documents import EventDocument
from api.operations.errors import UsageError
from ledger.domain.clock import utc_now
from ledger.domain.codec import CODEC
from ledger.use_cases.audit import EventQuery, TokenQuery

DEFAULT_LIMIT = 100


@audit.command("tokens")
@audit_command
async def tokens(
    source: AuditSource,
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
) -> None:
    """List tokens, newest first: those for which everything asked holds, as of one moment."""
    form = chosen_format(json=json, csv=csv)
    if all_ and limit is not None:
        msg = "--limit and --all exclude each other"
        raise UsageError(msg)
    now = utc_now()
    query = TokenQuery(
        client_id=client_id,
        subject=subject,
        scope=scope,
        status=status,
        issued_after=moment_of_past(issued_after, "--issued-after", now) if issued_after else None,
        issued_before=moment_of_past(issued_before, "--issued-before", now) if issued_before else None,
    )
    most = None if all_ else limit or DEFAULT_LIMIT
    await print_tokens(source.token_pages(query, parse_as_of(as_of), limit=most), form)


@audit.command("events")
@audit_command
async def events(
    source: AuditSource,
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
) -> None:
    """List events in the order recorded, or follow them as they are.

    Following goes on after the last position that was seen, none left out and none twice, also when the service or the
    database is away for a while.
    """
    form = chosen_format(json=json, csv=csv)
    now = utc_now()
    query = EventQuery(
        types=_known(type_ or []),
        client_id=client_id,
        subject=subject,
        actor=actor,
        since=moment_of_past(since, "--since", now) if since else None,
        until=moment_of_past(until, "--until", now) if until else None,
    )
    if not follow:
        rest: list[int] = []
        await print_events(_listed(source, query, after=after or 0, limit=limit or DEFAULT_LIMIT, rest=rest), form)
        if rest:
            print_note(f"there may be more: go on with --after {rest[0]}, or raise --limit")
        return
    if subject is not None or until is not None:
        msg = f"{'--subject' if subject is not None else '--until'} cannot be given with --follow"
        raise UsageError(msg)
    if after is None:
        after = await source.end() if since is None else 0
    await print_events(_first(follow_log(source, query, after=after), limit), form, as_they_come=True)


async def _listed(
    source: AuditSource, query: EventQuery, *, after: int, limit: int, rest: list[int]
) -> AsyncIterator[EventDocument]:
    """The first events after a position. Where there may be more, `rest` is told the position to go on after."""
    position: int | None = after
    left = limit
    while position is not None and left > 0:
        page = await source.event_page(query, after=position, limit=page_size(left))
        for event in page.events:
            yield event
        left -= len(page.events)
        position = page.next
    if position is not None:
        rest.append(position)


async def _first(events: AsyncGenerator[EventDocument], limit: int | None) -> AsyncIterator[EventDocument]:
    count = 0
    async with aclosing(events):
        async for event in events:
            yield event
            count += 1
            if count == limit:
                return


def _known(types: list[str]) -> tuple[str, ...]:
    unknown = sorted(set(types) - set(CODEC.topics))
    if unknown:
        msg = f"--type: there is no type {unknown[0]!r}; there are {', '.join(sorted(CODEC.topics))}"
        raise UsageError(msg)
    return tuple(dict.fromkeys(types))
