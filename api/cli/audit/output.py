"""Tokens and events in the form that was asked for. All but a table of tokens or events is printed as it comes."""

import json
import sys
from collections.abc import AsyncIterator
from typing import Any, Literal

import msgspec

from api.cli.audit.csv_output import EVENT_COLUMNS, TOKEN_COLUMNS, event_values, token_values, write_row
from api.cli.audit.event_views import event_line, show_events
from api.cli.output import format_instant, print_note, print_result
from api.cli.tokens.views import show_tokens
from api.http.audit.documents import EventDocument, TokenDocument, TokenPageDocument
from api.operations.errors import UsageError

Format = Literal["table", "json", "csv"]


def chosen_format(*, json: bool, csv: bool) -> Format:
    """The form that the flags ask for. Raises OperationError for two."""
    if json and csv:
        msg = "--json and --csv exclude each other"
        raise UsageError(msg)
    return "json" if json else "csv" if csv else "table"


async def print_tokens(pages: AsyncIterator[TokenPageDocument], form: Format) -> None:
    """Print tokens, and how to see more. As JSON they are one document, with a line for each token."""
    match form:
        case "csv":
            last = await _tokens_as_csv(pages)
        case "json":
            last = await _tokens_as_json(pages)
        case "table":
            last = await _tokens_as_table(pages)
    if last.next is not None:
        print_note("there may be more: raise --limit, or take --all")


async def _tokens_as_table(pages: AsyncIterator[TokenPageDocument]) -> TokenPageDocument:
    found: list[TokenDocument] = []
    async for page in pages:
        found += page.tokens
    show_tokens(found)
    print_note(f"as of {format_instant(page.as_of.instant)}, position {page.as_of.position}")
    return page


async def _tokens_as_csv(pages: AsyncIterator[TokenPageDocument]) -> TokenPageDocument:
    write_row(TOKEN_COLUMNS)
    async for page in pages:
        for token in page.tokens:
            write_row(token_values(token))
    return page


async def _tokens_as_json(pages: AsyncIterator[TokenPageDocument]) -> TokenPageDocument:
    before = '{"tokens": [\n'
    async for page in pages:
        for token in page.tokens:
            _write(before, _compact(token))
            before = ",\n"
    _write(
        "\n" if before == ",\n" else before, f'], "as_of": {_compact(page.as_of)}, "next": {_compact(page.next)}}}\n'
    )
    return page


async def print_events(events: AsyncIterator[EventDocument], form: Format, *, as_they_come: bool = False) -> None:
    """Print events; as JSON a document a line. A table is printed as a whole, unless each is to be seen as it comes."""
    if form == "csv":
        write_row(EVENT_COLUMNS)
    elif form == "table" and not as_they_come:
        show_events([event async for event in events])
        return
    async for event in events:
        match form:
            case "csv":
                write_row(event_values(event))
            case "json":
                _write(_compact(event), "\n")
            case "table":
                print_result(event_line(event))


def _compact(document: Any) -> str:
    return json.dumps(msgspec.to_builtins(document), ensure_ascii=False)


def _write(*texts: str) -> None:
    sys.stdout.write("".join(texts))
    sys.stdout.flush()
