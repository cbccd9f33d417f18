"""The flags of the audit commands."""

from typing import Annotated, Any

import typer

from api.cli.arguments import INSTANT_EXAMPLES
from api.cli.flags import option
from api.http.audit.window import Bucket
from ledger.domain.codec import CODEC
from ledger.domain.token_record import TokenStatus

Jti = Annotated[
    str | None,
    typer.Argument(
        metavar="JTI",
        help="The token's id: the jti of an introspection response, not the token itself.",
        show_default=False,
    ),
]
TokenStdin = Annotated[bool, option("--token-stdin", "Read the token itself from standard input.")]
AsOf = Annotated[
    str | None,
    option(
        "--as-of",
        f"The moment to report on: a position of the log, or {INSTANT_EXAMPLES}. Default: now.",
        "INSTANT|POSITION",
    ),
]


def _filter(flag: str, help_text: str, metavar: str | None = None, **more: Any) -> Any:
    """Define the option of a filter. Its variable has a prefix, because other commands have flags of these names."""
    name = flag.removeprefix("--").replace("-", "_").upper()
    return option(flag, help_text, metavar, variable=f"QUERY_{name}", **more)


Client = Annotated[str | None, _filter("--client-id", "Only this client.", "CLIENT_ID")]
Subject = Annotated[str | None, _filter("--subject", "Only tokens of this subject.", "SUBJECT")]
Scope = Annotated[str | None, _filter("--scope", "Only tokens with this scope.", "SCOPE")]
Status = Annotated[TokenStatus | None, _filter("--status", "Only tokens in this state at that moment.")]
IssuedAfter = Annotated[
    str | None, _filter("--issued-after", f"Only tokens issued at this time or later: {INSTANT_EXAMPLES}.", "INSTANT")
]
IssuedBefore = Annotated[
    str | None, _filter("--issued-before", "Only tokens issued at this time or earlier.", "INSTANT")
]
Types = Annotated[
    list[str] | None,
    _filter("--type", f"Only events of this type. Repeatable. One of {', '.join(sorted(CODEC.topics))}.", "TYPE"),
]
ByActor = Annotated[str | None, _filter("--actor", "Only events caused by client:CLIENT_ID or operator:NAME.", "ACTOR")]
Since = Annotated[str | None, _filter("--since", f"The start of the period: {INSTANT_EXAMPLES}.", "INSTANT")]
Until = Annotated[str | None, _filter("--until", "The end of the period.", "INSTANT")]
After = Annotated[int | None, _filter("--after", "Only events after this position of the log.", "POSITION", min=0)]

Follow = Annotated[
    bool,
    option("--follow", "Print events as they are recorded, from now on (or from --after or --since), until Ctrl-C."),
]
Limit = Annotated[int | None, option("--limit", "The maximum number. Default: 100.", "N", min=1)]
LimitOfEvents = Annotated[
    int | None, option("--limit", "The maximum number. Default: 100; unlimited with --follow.", "N", min=1)
]
All = Annotated[bool, option("--all", "List all, without a limit.")]
Csv = Annotated[bool, option("--csv", "Print CSV with a header row.")]
JsonLines = Annotated[bool, option("--json", "Print one JSON document per line for each event.")]
BucketWidth = Annotated[Bucket, option("--bucket", "The width of a bucket of time.")]
