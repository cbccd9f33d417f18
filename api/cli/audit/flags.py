"""The flags of the audit commands."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.flags import of_command
from api.cli.times import EXAMPLES
from api.http.audit.window import Bucket
from ledger.domain.codec import CODEC
from ledger.domain.token_record import TokenStatus

Url = Annotated[
    str | None,
    of_command(
        "URL",
        "--url",
        metavar="ISSUER_URL",
        help="Ask the service of this issuer over HTTP, with a token of scope audit.read, and not a database.",
    ),
]
AuditClientId = Annotated[
    str | None,
    of_command(
        "AUDIT_CLIENT_ID",
        "--audit-client-id",
        metavar="CLIENT_ID",
        help="With --url: the client to get a token for. Its secret is in TOKEN_LEDGER_AUDIT_CLIENT_SECRET.",
    ),
]
AuditSecretFile = Annotated[
    Path | None,
    of_command(
        "AUDIT_SECRET_FILE", "--audit-secret-file", metavar="FILE", help="With --url: a file with that client's secret."
    ),
]
AuditTokenFile = Annotated[
    Path | None,
    of_command(
        "AUDIT_TOKEN_FILE",
        "--audit-token-file",
        metavar="FILE",
        help="With --url: a file with a token to ask with. Or put the token in TOKEN_LEDGER_AUDIT_TOKEN.",
    ),
]

Jti = Annotated[
    str | None,
    typer.Argument(
        metavar="JTI",
        help="The token's id: the jti that introspection answers, not the token itself.",
        show_default=False,
    ),
]
TokenStdin = Annotated[
    bool, of_command("TOKEN_STDIN", "--token-stdin", help="Read the token itself from standard input, not its jti.")
]
AsOf = Annotated[
    str | None,
    of_command(
        "AS_OF",
        "--as-of",
        metavar="INSTANT|POSITION",
        help=f"Answer as of then. A position of the log, or {EXAMPLES}. Default: now.",
    ),
]
Client = Annotated[
    str | None, of_command("QUERY_CLIENT_ID", "--client-id", metavar="CLIENT_ID", help="Only about this client.")
]
Subject = Annotated[
    str | None, of_command("QUERY_SUBJECT", "--subject", metavar="SUBJECT", help="Only about tokens of this subject.")
]
Scope = Annotated[str | None, of_command("QUERY_SCOPE", "--scope", metavar="SCOPE", help="Only with this scope token.")]
Status = Annotated[TokenStatus | None, of_command("QUERY_STATUS", "--status", help="Only those that were this then.")]
IssuedAfter = Annotated[
    str | None,
    of_command(
        "QUERY_ISSUED_AFTER", "--issued-after", metavar="INSTANT", help=f"Only issued then or later: {EXAMPLES}."
    ),
]
IssuedBefore = Annotated[
    str | None,
    of_command("QUERY_ISSUED_BEFORE", "--issued-before", metavar="INSTANT", help="Only issued then or earlier."),
]
Types = Annotated[
    list[str] | None,
    of_command(
        "QUERY_TYPE",
        "--type",
        metavar="TYPE",
        help=f"Only events of this type. Repeat for more. One of {', '.join(sorted(CODEC.topics))}.",
    ),
]
ByActor = Annotated[
    str | None,
    of_command("QUERY_ACTOR", "--actor", metavar="ACTOR", help="Only caused by client:CLIENT_ID or operator:NAME."),
]
Since = Annotated[
    str | None,
    of_command("QUERY_SINCE", "--since", metavar="INSTANT", help=f"From then on: {EXAMPLES}."),
]
Until = Annotated[str | None, of_command("QUERY_UNTIL", "--until", metavar="INSTANT", help="Until then.")]
AfterPosition = Annotated[
    int | None,
    of_command("QUERY_AFTER", "--after", metavar="POSITION", min=0, help="Only events after this position of the log."),
]
Follow = Annotated[
    bool,
    of_command(
        "FOLLOW",
        "--follow",
        help="Go on with what is recorded from now on (or after --after, --since), until Ctrl-C.",
    ),
]
Limit = Annotated[int | None, of_command("LIMIT", "--limit", metavar="N", min=1, help="At most so many. Default: 100.")]
LimitOfEvents = Annotated[
    int | None,
    of_command("LIMIT", "--limit", metavar="N", min=1, help="At most so many. Default: 100; no bound with --follow."),
]
All = Annotated[bool, of_command("ALL", "--all", help="All there are, however many.")]
Csv = Annotated[bool, of_command("CSV", "--csv", help="Print comma-separated values with a line of headings.")]
JsonLines = Annotated[bool, of_command("JSON", "--json", help="Print one JSON document a line for each event.")]
BucketWidth = Annotated[Bucket, of_command("BUCKET", "--bucket", help="How wide each step of the time is.")]
