"""The flags of the audit commands."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.arguments import INSTANT_EXAMPLES
from api.cli.flags import option
from api.http.audit.window import Bucket
from ledger.domain.codec import CODEC
from ledger.domain.token_record import TokenStatus

Url = Annotated[
    str | None,
    option(
        "--url",
        "Read from this issuer's service over HTTP instead of a database. Needs scope audit.read.",
        "ISSUER_URL",
    ),
]
AuditClientId = Annotated[
    str | None,
    option(
        "--audit-client-id",
        "With --url: the client that requests the token. Its secret is in TOKEN_LEDGER_AUDIT_CLIENT_SECRET.",
        "CLIENT_ID",
    ),
]
AuditSecretFile = Annotated[
    Path | None, option("--audit-secret-file", "With --url: a file with that client's secret.", "FILE")
]
AuditTokenFile = Annotated[
    Path | None,
    option(
        "--audit-token-file",
        "With --url: a file with an access token. The variable TOKEN_LEDGER_AUDIT_TOKEN can hold it instead.",
        "FILE",
    ),
]

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
Client = Annotated[str | None, option("--client-id", "Only this client.", "CLIENT_ID", variable="QUERY_CLIENT_ID")]
Subject = Annotated[
    str | None, option("--subject", "Only tokens of this subject.", "SUBJECT", variable="QUERY_SUBJECT")
]
Scope = Annotated[str | None, option("--scope", "Only tokens with this scope.", "SCOPE", variable="QUERY_SCOPE")]
Status = Annotated[
    TokenStatus | None, option("--status", "Only tokens in this state at that moment.", variable="QUERY_STATUS")
]
IssuedAfter = Annotated[
    str | None,
    option(
        "--issued-after",
        f"Only tokens issued at this time or later: {INSTANT_EXAMPLES}.",
        "INSTANT",
        variable="QUERY_ISSUED_AFTER",
    ),
]
IssuedBefore = Annotated[
    str | None,
    option("--issued-before", "Only tokens issued at this time or earlier.", "INSTANT", variable="QUERY_ISSUED_BEFORE"),
]
Types = Annotated[
    list[str] | None,
    option(
        "--type",
        f"Only events of this type. Repeatable. One of {', '.join(sorted(CODEC.topics))}.",
        "TYPE",
        variable="QUERY_TYPE",
    ),
]
ByActor = Annotated[
    str | None,
    option("--actor", "Only events caused by client:CLIENT_ID or operator:NAME.", "ACTOR", variable="QUERY_ACTOR"),
]
Since = Annotated[
    str | None, option("--since", f"The start of the period: {INSTANT_EXAMPLES}.", "INSTANT", variable="QUERY_SINCE")
]
Until = Annotated[str | None, option("--until", "The end of the period.", "INSTANT", variable="QUERY_UNTIL")]
AfterPosition = Annotated[
    int | None,
    option("--after", "Only events after this position of the log.", "POSITION", variable="QUERY_AFTER", min=0),
]
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
