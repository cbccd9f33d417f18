"""Print tokens and events as a table, as JSON or as CSV (RFC 4180). JSON and CSV are printed page by page."""

import csv
import json
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any, Literal

import msgspec

from api.cli.audit.event_views import format_event_line, print_event_table
from api.cli.output import format_instant, make_printable, print_note, print_result
from api.cli.tokens.views import print_token_table
from api.http.audit.documents import EventDocument, TokenDocument, TokenPageDocument
from api.operations.errors import UsageError

OutputFormat = Literal["table", "json", "csv"]

REVOCATION_COLUMNS = {
    "revoked_at": "revoked.revoked_at",
    "revoked_position": "revoked.position",
    "revoked_by": "revoked.actor",
    "revoked_from": "revoked.remote_address",
    "revoked_request_id": "revoked.request_id",
    "reason": "revoked.reason",
}
TOKEN_COLUMNS: Mapping[str, str] = {
    **{name: name for name in ("jti", "state", "client_id", "subject", "scope", "audience", "grant_type", "grant_id")},
    **{name: name for name in ("token_format", "issued_at", "expires_at")},
    "issued_position": "issued.position",
    "issued_by": "issued.actor",
    "issued_from": "issued.remote_address",
    "issued_request_id": "issued.request_id",
    **REVOCATION_COLUMNS,
    "as_of": "as_of.instant",
    "as_of_position": "as_of.position",
}
"""The CSV columns of a token, with the attributes of a TokenDocument that they hold."""

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
    if output_format == "csv":
        write_csv_row(TOKEN_COLUMNS)
    elif output_format == "json":
        _write('{"tokens": [')
    tokens: list[TokenDocument] = []
    separator = "\n"
    async for page in pages:
        if output_format == "table":
            tokens += page.tokens
            continue
        for token in page.tokens:
            if output_format == "csv":
                write_csv_row(_token_values(token))
            else:
                _write(separator, _encode(token))
                separator = ",\n"
    if output_format == "json":
        _write(f'\n], "as_of": {_encode(page.as_of)}, "next": {_encode(page.next)}}}\n')
    elif output_format == "table":
        print_token_table(tokens)
        print_note(f"as of {format_instant(page.as_of.instant)}, position {page.as_of.position}")
    if page.next is not None:
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
                write_csv_row(attrgetter(*EVENT_COLUMNS)(event))
            case "json":
                _write(_encode(event), "\n")
            case "table":
                print_result(format_event_line(event))


def write_csv_row(cells: Iterable[Any]) -> None:
    """Write a row: None is an empty cell, instants are RFC 3339, and no cell is a formula or a control sequence."""
    csv.writer(sys.stdout, lineterminator="\n").writerow([_csv_cell(cell) for cell in cells])
    sys.stdout.flush()


def _token_values(token: TokenDocument) -> list[Any]:
    missing = () if token.revoked else REVOCATION_COLUMNS
    return [None if name in missing else attrgetter(path)(token) for name, path in TOKEN_COLUMNS.items()]


def _csv_cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case datetime():
            return str(msgspec.to_builtins(value))
        case dict():
            value = msgspec.json.encode(value).decode()
        case tuple():
            value = " ".join(value)
    text = make_printable(str(value))
    return f"'{text}" if text.startswith(FORMULA_PREFIXES) else text


def _encode(document: Any) -> str:
    return json.dumps(msgspec.to_builtins(document), ensure_ascii=False)


def _write(*texts: str) -> None:
    sys.stdout.write("".join(texts))
    sys.stdout.flush()
