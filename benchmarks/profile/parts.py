"""What work is for: the parts of a request, and the frames by which a stack is known to belong to one.

A frame is named by function and file, by its file or by a folder, in this order of precedence; a stack belongs to the
part of its innermost frame that is named. What many parts use is named nowhere (asyncpg, the codec, the clock, tasks):
it counts for the part that called it.
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
    "from a connection to its handler": (
        "api/http/connection.py",
        "api/http/direct.py",
        "api/http/http_server.py",
        "api/http/instrumented_endpoint.py",
        "api/http/request_context.py",
    ),
    "form, client authentication": (
        "api/http/form.py",
        "api/http/oauth/client_endpoint.py",
        "ledger/domain/client.py",
        "ledger/use_cases/client_authentication.py",
        "ledger/domain/secrets.py",
    ),
    "looking up": ("ledger/batching/batch_loader.py", "projections/lookups.py"),
    "deciding: token, scope, event": (
        "ledger/domain/grant.py",
        "ledger/domain/identifiers.py",
        "ledger/use_cases/introspection.py",
        "ledger/use_cases/issuance.py",
        "ledger/domain/scope.py",
    ),
    "appending": (
        "ledger/batching/append_counts.py",
        "ledger/domain/conflicts.py",
        "ledger/batching/group_commit.py",
        "ledger/postgres/at_once.py",
        "ledger/postgres/event_log.py",
        "projections/active_tokens.py",
        "projections/clients.py",
    ),
    "taking in what PostgreSQL answers": ("data_received (protocol.c)", "_on_waiter_completed (protocol.c)"),
    "following: history and sweep": (
        "ledger/batching/log_tail.py",
        "ledger/postgres/notifications.py",
        "projections/following/lease.py",
        "projections/expiry_sweep.py",
        "projections/following/follower.py",
        "projections/following/skips.py",
        "projections/token_activity.py",
        "projections/token_history.py",
    ),
    "making the answer": (
        "aiohttp/web_response.py",
        "api/http/oauth/introspect.py",
        "api/http/oauth/token.py",
        "api/http/responses.py",
    ),
    "sending": (
        "Connection._answer_form (api/http/connection.py)",
        "Connection._go_on (api/http/connection.py)",
        "aiohttp/http_writer.py",
    ),
    "log line, counts": (
        "api/logging/configuration.py",
        "api/http/metrics/",
        "api/logging/redaction.py",
        "api/http/request_log.py",
        "structlog/",
    ),
    OTHER: (),
}
"""In the order in which a request comes by them."""

_PART_OF: Final = {named: part for part, frames in PARTS.items() for named in frames}


@cache
def named_part(frame: Frame) -> str | None:
    """The part that a frame is named by, if any."""
    folders = (frame.file[: at + 1] for at, letter in reversed(list(enumerate(frame.file))) if letter == "/")
    return next((_PART_OF[name] for name in (str(frame), frame.file, *folders) if name in _PART_OF), None)


def part_of(frames: Iterable[Frame]) -> str:
    """The part of the innermost frame that is named."""
    part = OTHER
    for frame in frames:
        part = named_part(frame) or part
    return part


def shares(stacks: Iterable[Stack]) -> Mapping[str, float]:
    """Of all parts in their order, what share of the samples each has. Raises ValueError when there are none."""
    samples = dict.fromkeys(PARTS, 0)
    for stack in stacks:
        samples[part_of(stack.frames)] += stack.samples
    total = sum(samples.values())
    if not total:
        msg = "no stacks, so no shares"
        raise ValueError(msg)
    return {part: found / total for part, found in samples.items()}
