"""The parts of a request, and the frames that belong to each.

A stack belongs to the part of its innermost frame that PARTS lists: by function and file, by file, or by folder, in
this order. Shared code is not listed (asyncpg, the codec, the clock, tasks): it counts for the part that called it.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final

from benchmarks.profile.stacks import Frame, Stack

OTHER: Final = "other"

PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "event loop, reading from sockets": (
        "asyncio/runners.py",
        "uv_run (core.c)",
        "BaseEventLoop._run_once (asyncio/base_events.py)",
    ),
    "parsing HTTP": ("aiohttp/", "yarl/", "multidict/", "_http_parser.c", "llhttp.c"),
    "connection to handler": (
        "api/http/fast_path/",
        "api/http/instrumented_endpoint.py",
        "api/http/request_context.py",
    ),
    "form, client authentication": (
        "api/http/form.py",
        "ClientEndpoint._read (api/http/oauth/endpoints.py)",
        "ClientEndpoint._authenticate (api/http/oauth/endpoints.py)",
        "read_credentials (api/http/oauth/endpoints.py)",
        "_decode_basic (api/http/oauth/endpoints.py)",
        "ledger/domain/client.py",
        "ledger/use_cases/client_authentication.py",
        "ledger/domain/secrets.py",
    ),
    "token look-up": ("ledger/batching/batch_loader.py", "projections/lookups.py"),
    "decisions: token, scope, event": (
        "ledger/domain/grant.py",
        "ledger/domain/identifiers.py",
        "ledger/use_cases/introspection.py",
        "ledger/use_cases/issuance.py",
        "ledger/domain/scope.py",
    ),
    "appending": (
        "ledger/batching/group_commit.py",
        "ledger/postgres/append.py",
        "ledger/postgres/event_log.py",
        "projections/active_tokens.py",
        "projections/clients.py",
    ),
    "receiving PostgreSQL responses": ("data_received (protocol.c)", "_on_waiter_completed (protocol.c)"),
    "catch-up projections and sweep": (
        "ledger/batching/log_tail.py",
        "ledger/postgres/notifications.py",
        "projections/following/lease.py",
        "projections/background.py",
        "projections/event_index.py",
        "projections/expiry_sweep.py",
        "projections/following/follower.py",
        "projections/following/skips.py",
        "projections/token_activity.py",
        "projections/token_history.py",
        "projections/view_check.py",
    ),
    "building the response": (
        "aiohttp/web_response.py",
        "api/http/oauth/endpoints.py",
        "api/http/responses.py",
    ),
    "sending": (
        "FastPathConnection._respond (api/http/fast_path/connection.py)",
        "FastPathConnection._resume_task (api/http/fast_path/connection.py)",
        "aiohttp/http_writer.py",
    ),
    "logging, counters": (
        "api/logging/configuration.py",
        "api/http/metrics/",
        "api/logging/redaction.py",
        "InstrumentedEndpoint._write_line (api/http/instrumented_endpoint.py)",
        "InstrumentedEndpoint._write_plain_line (api/http/instrumented_endpoint.py)",
        "structlog/",
    ),
    OTHER: (),
}
"""In the order in which a request passes through them."""

_PART_OF: Final = {named: part for part, frames in PARTS.items() for named in frames}


@cache
def find_part(frame: Frame) -> str | None:
    """Return the part of a frame, or None."""
    folders = (frame.file[: at + 1] for at, letter in reversed(list(enumerate(frame.file))) if letter == "/")
    return next((_PART_OF[name] for name in (str(frame), frame.file, *folders) if name in _PART_OF), None)


def part_of(frames: Iterable[Frame]) -> str:
    """Return the part of a stack."""
    part = OTHER
    for frame in frames:
        part = find_part(frame) or part
    return part


def shares(stacks: Iterable[Stack]) -> Mapping[str, float]:
    """Return the share of the samples of each part. Raises ValueError when there are no samples."""
    samples = dict.fromkeys(PARTS, 0)
    for stack in stacks:
        samples[part_of(stack.frames)] += stack.samples
    total = sum(samples.values())
    if not total:
        msg = "no stacks, so no shares"
        raise ValueError(msg)
    return {part: found / total for part, found in samples.items()}
