"""The flags that commands share. Each has a twin in the environment, and its help says which.

The flags of settings are defined by `Settings`: its descriptions, its variables, its checks. They are None when not
given, so that the setting decides. The others name their variable here.
"""

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import SecretStr

from api.service.settings import PREFIX, Settings, flag_name, variable_name


def of_setting(field: str, **more: Any) -> Any:
    """The option that overrides a setting."""
    info = Settings.model_fields[field]
    default = info.default
    shown = "" if default is None or default == () or isinstance(default, bool) else f"; default: {default}"
    names = [flag_name(field)]
    if info.annotation is bool:
        names = [f"{flag_name(field)}/--no-{flag_name(field).removeprefix('--')}"]
    return typer.Option(
        *names, help=f"{info.description} (env var: {variable_name(field)}{shown})", show_default=False, **more
    )


def of_command(name: str, *names: str, **more: Any) -> Any:
    """An option of single commands; its twin is TOKEN_LEDGER_ and `name`."""
    return typer.Option(*names, envvar=PREFIX + name, **more)


def _secret(value: str) -> SecretStr:
    return SecretStr(value)


Dsn = Annotated[SecretStr | None, of_setting("dsn", metavar="URL", parser=_secret)]
OwnerDsn = Annotated[SecretStr | None, of_setting("owner_dsn", metavar="URL", parser=_secret)]
Embedded = Annotated[Path | None, of_setting("embedded", metavar="DIR")]
Issuers = Annotated[str | None, of_setting("issuers", metavar="URL,URL")]
ServiceRole = Annotated[str | None, of_setting("service_role", metavar="ROLE")]
Host = Annotated[str | None, of_setting("host", metavar="ADDRESS")]
Port = Annotated[int | None, of_setting("port")]
Workers = Annotated[int | None, of_setting("workers")]
LogFormat = Annotated[str | None, of_setting("log_format", metavar="auto|json|console")]
LogLevel = Annotated[str | None, of_setting("log_level", metavar="debug|info|warning|error")]
BehindProxy = Annotated[bool | None, of_setting("behind_proxy")]
MaxWaitingAppends = Annotated[int | None, of_setting("max_waiting_appends")]
PoolSize = Annotated[int | None, of_setting("pool_size")]
Follow = Annotated[bool | None, of_setting("follow")]
SweepSeconds = Annotated[float | None, of_setting("sweep_seconds")]
Metrics = Annotated[bool | None, of_setting("metrics")]
ShutdownSeconds = Annotated[float | None, of_setting("shutdown_seconds")]

IssuerChoice = Annotated[
    str | None,
    of_command(
        "ISSUER",
        "--issuer",
        metavar="URL|PATH",
        help="Which of the configured issuers to work on, by its URL or its path. Needed when there are several.",
    ),
]
Actor = Annotated[
    str | None,
    of_command(
        "ACTOR",
        "--actor",
        metavar="NAME",
        help="Who makes this change; recorded as operator:NAME. Default: the login name.",
    ),
]
Archives = Annotated[
    Path | None,
    of_command(
        "ARCHIVES",
        "--archives",
        metavar="FOLDER",
        help="Where the archives of the log are: read them for what is no longer in the log.",
    ),
]
Json = Annotated[bool, of_command("JSON", "--json", help="Print the result as one JSON document.")]
Reason = Annotated[str, of_command("REASON", "--reason", help="Why, in a word or a sentence; recorded for auditors.")]
