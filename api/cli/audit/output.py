"""Print tokens and events as a table, as JSON or as CSV (RFC 4180). JSON and CSV are printed page by page."""

import csv
import json
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from api.cli.audit.event_views import format_event_line, print_event_table
from api.cli.output import format_instant, make_printable, print_note, print_result
from api.cli.tokens.views import print_token_table
from api.http.audit.documents import EventDocument, TokenDocument, TokenPageDocument
from api.operations.errors import UsageError

OutputFormat = Literal["table", "json", "csv"]

TOKEN_COLUMNS = (
    *("jti", "state", "client_id", "subject", "scope", "audience", "grant_type", "grant_id", "token_format"),
    *("issued_at", "expires_at", "issued_position", "issued_by", "issued_from", "issued_request_id"),
    *("revoked_at", "revoked_position", "revoked_by", "revoked_from", "revoked_request_id", "reason"),
    *("as_of", "as_of_position"),
)
EVENT_COLUMNS = (
    *("position", "recorded_at", "type", "actor", "request_id", "remote_address"),
    *("stream_id", "stream_version", "schema_version", "data"),
)
FORMULA_PREFIXES = ("=", "+", "-", "@")
"""Prefixes that a spreadsheet reads as a formula; a recorded reason or name may begin with one."""


def choose_format(*, json: bool, csv: bool) -> OutputFormat:
    """Return the requested format. Raises UsageError when two are requested."""
    if json and csv:
        msg = "--json and --csv exclude each other"
        raise UsageError(msg)
    return "json" if json else "csv" if csv else "table"


async def print_tokens(pages: AsyncIterator[TokenPageDocument], output_format: OutputFormat) -> None:
    """Print tokens, and a note if there may be more. JSON is one document with one line per token."""
    match output_format:
        case "csv":
            last = await _print_tokens_as_csv(pages)
        case "json":
            last = await _print_tokens_as_json(pages)
        case "table":
            last = await _print_tokens_as_table(pages)
    if last.next is not None:
        print_note("there may be more: raise --limit, or use --all")


async def print_events(
    events: AsyncIterator[EventDocument], output_format: OutputFormat, *, live: bool = False
) -> None:
    """Print events, as JSON with one document per line. A live table is printed line by line."""
    if output_format == "csv":
        write_csv_row(EVENT_COLUMNS)
    elif output_format == "table" and not live:
        print_event_table([event async for event in events])
        return
    async for event in events:
        match output_format:
            case "csv":
                write_csv_row(_event_values(event))
            case "json":
                _write(_encode(event), "\n")
            case "table":
                print_result(format_event_line(event))


def write_csv_row(cells: Sequence[Any]) -> None:
    """Write a row: None is an empty cell, instants are RFC 3339, and no cell is a formula or a control sequence."""
    csv.writer(sys.stdout, lineterminator="\n").writerow([_csv_cell(cell) for cell in cells])
    sys.stdout.flush()


async def _print_tokens_as_table(pages: AsyncIterator[TokenPageDocument]) -> TokenPageDocument:
    tokens: list[TokenDocument] = []
    async for page in pages:
        tokens += page.tokens
    print_token_table(tokens)
    print_note(f"as of {format_instant(page.as_of.instant)}, position {page.as_of.position}")
    return page


async def _print_tokens_as_csv(pages: AsyncIterator[TokenPageDocument]) -> TokenPageDocument:
    write_csv_row(TOKEN_COLUMNS)
    async for page in pages:
        for token in page.tokens:
            write_csv_row(_token_values(token))
    return page


async def _print_tokens_as_json(pages: AsyncIterator[TokenPageDocument]) -> TokenPageDocument:
    _write('{"tokens": [')
    separator = "\n"
    async for page in pages:
        for token in page.tokens:
            _write(separator, _encode(token))
            separator = ",\n"
    _write(f'\n], "as_of": {_encode(page.as_of)}, "next": {_encode(page.next)}}}\n')
    return page


def _token_values(token: TokenDocument) -> tuple[Any, ...]:
    """The values of TOKEN_COLUMNS."""
    issued, revoked = token.issued, token.revoked
    revocation: tuple[Any, ...] = (None,) * 6
    if revoked is not None:
        cause = (revoked.position, revoked.actor, revoked.remote_address, revoked.request_id)
        revocation = (revoked.revoked_at, *cause, revoked.reason)
    return (
        *(token.jti, token.state, token.client_id, token.subject, token.scope, " ".join(token.audience)),
        *(token.grant_type, token.grant_id, token.token_format, token.issued_at, token.expires_at),
        *(issued.position, issued.actor, issued.remote_address, issued.request_id),
        *revocation,
        *(token.as_of.instant, token.as_of.position),
    )


def _event_values(event: EventDocument) -> tuple[Any, ...]:
    """The values of EVENT_COLUMNS; `data` is JSON."""
    return (
        *(event.position, event.recorded_at, event.type, event.actor, event.request_id, event.remote_address),
        *(event.stream_id, event.stream_version, event.schema_version, msgspec.json.encode(event.data).decode()),
    )


def _csv_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return str(msgspec.to_builtins(value))
    text = make_printable(str(value))
    return f"'{text}" if text.startswith(FORMULA_PREFIXES) else text


def _encode(document: Any) -> str:
    return json.dumps(msgspec.to_builtins(document), ensure_ascii=False)


def _write(*texts: str) -> None:
    sys.stdout.write("".join(texts))
    sys.stdout.flush()
