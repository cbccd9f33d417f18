"""The flags of the audit commands."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.arguments import INSTANT_EXAMPLES
from api.cli.flags import command_option
from api.http.audit.window import Bucket
from ledger.domain.codec import CODEC
from ledger.domain.token_record import TokenStatus

Url = Annotated[
    str | None,
    command_option(
        "URL",
        "--url",
        metavar="ISSUER_URL",
        help="Read from this issuer's service over HTTP instead of a database. Needs scope audit.read.",
    ),
]
AuditClientId = Annotated[
    str | None,
    command_option(
        "AUDIT_CLIENT_ID",
        "--audit-client-id",
        metavar="CLIENT_ID",
        help="With --url: the client that requests the token. Its secret is in TOKEN_LEDGER_AUDIT_CLIENT_SECRET.",
    ),
]
AuditSecretFile = Annotated[
    Path | None,
    command_option(
        "AUDIT_SECRET_FILE", "--audit-secret-file", metavar="FILE", help="With --url: a file with that client's secret."
    ),
]
AuditTokenFile = Annotated[
    Path | None,
    command_option(
        "AUDIT_TOKEN_FILE",
        "--audit-token-file",
        metavar="FILE",
        help="With --url: a file with an access token. The variable TOKEN_LEDGER_AUDIT_TOKEN can hold it instead.",
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
TokenStdin = Annotated[
    bool, command_option("TOKEN_STDIN", "--token-stdin", help="Read the token itself from standard input.")
]
AsOf = Annotated[
    str | None,
    command_option(
        "AS_OF",
        "--as-of",
        metavar="INSTANT|POSITION",
        help=f"The moment to report on: a position of the log, or {INSTANT_EXAMPLES}. Default: now.",
    ),
]
Client = Annotated[
    str | None, command_option("QUERY_CLIENT_ID", "--client-id", metavar="CLIENT_ID", help="Only this client.")
]
Subject = Annotated[
    str | None, command_option("QUERY_SUBJECT", "--subject", metavar="SUBJECT", help="Only tokens of this subject.")
]
Scope = Annotated[
    str | None, command_option("QUERY_SCOPE", "--scope", metavar="SCOPE", help="Only tokens with this scope.")
]
Status = Annotated[
    TokenStatus | None, command_option("QUERY_STATUS", "--status", help="Only tokens in this state at that moment.")
]
IssuedAfter = Annotated[
    str | None,
    command_option(
        "QUERY_ISSUED_AFTER",
        "--issued-after",
        metavar="INSTANT",
        help=f"Only tokens issued at this time or later: {INSTANT_EXAMPLES}.",
    ),
]
IssuedBefore = Annotated[
    str | None,
    command_option(
        "QUERY_ISSUED_BEFORE", "--issued-before", metavar="INSTANT", help="Only tokens issued at this time or earlier."
    ),
]
Types = Annotated[
    list[str] | None,
    command_option(
        "QUERY_TYPE",
        "--type",
        metavar="TYPE",
        help=f"Only events of this type. Repeatable. One of {', '.join(sorted(CODEC.topics))}.",
    ),
]
ByActor = Annotated[
    str | None,
    command_option(
        "QUERY_ACTOR", "--actor", metavar="ACTOR", help="Only events caused by client:CLIENT_ID or operator:NAME."
    ),
]
Since = Annotated[
    str | None,
    command_option("QUERY_SINCE", "--since", metavar="INSTANT", help=f"The start of the period: {INSTANT_EXAMPLES}."),
]
Until = Annotated[
    str | None, command_option("QUERY_UNTIL", "--until", metavar="INSTANT", help="The end of the period.")
]
AfterPosition = Annotated[
    int | None,
    command_option(
        "QUERY_AFTER", "--after", metavar="POSITION", min=0, help="Only events after this position of the log."
    ),
]
Follow = Annotated[
    bool,
    command_option(
        "FOLLOW",
        "--follow",
        help="Print events as they are recorded, from now on (or from --after or --since), until Ctrl-C.",
    ),
]
Limit = Annotated[
    int | None, command_option("LIMIT", "--limit", metavar="N", min=1, help="The maximum number. Default: 100.")
]
LimitOfEvents = Annotated[
    int | None,
    command_option(
        "LIMIT", "--limit", metavar="N", min=1, help="The maximum number. Default: 100; unlimited with --follow."
    ),
]
All = Annotated[bool, command_option("ALL", "--all", help="List all, without a limit.")]
Csv = Annotated[bool, command_option("CSV", "--csv", help="Print CSV with a header row.")]
JsonLines = Annotated[bool, command_option("JSON", "--json", help="Print one JSON document per line for each event.")]
BucketWidth = Annotated[Bucket, command_option("BUCKET", "--bucket", help="The width of a bucket of time.")]
