"""The flags that several commands share. Each has an environment variable, which its help names.

Flags of settings take their description, variable and validation from `Settings` and default to None, so that the
setting decides. The other flags name their variable here.
"""

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import SecretStr

from api.service.settings import PREFIX, Settings, flag_name, variable_name


def setting_option(field: str, **more: Any) -> Any:
    """Define the option that overrides a setting."""
    info = Settings.model_fields[field]
    default = info.default
    shown = "" if default is None or default == () or isinstance(default, bool) else f"; default: {default}"
    names = [flag_name(field)]
    if info.annotation is bool:
        names = [f"{flag_name(field)}/--no-{flag_name(field).removeprefix('--')}"]
    return typer.Option(
        *names, help=f"{info.description} (env var: {variable_name(field)}{shown})", show_default=False, **more
    )


def option(flag: str, help_text: str, metavar: str | None = None, *, variable: str | None = None, **more: Any) -> Any:
    """Define an option that is not a setting. Its environment variable is named after the flag, or `variable`."""
    name = variable or flag.removeprefix("--").replace("-", "_").upper()
    return typer.Option(flag, help=help_text, metavar=metavar, envvar=PREFIX + name, **more)


def _secret(value: str) -> SecretStr:
    return SecretStr(value)


Dsn = Annotated[SecretStr | None, setting_option("dsn", metavar="URL", parser=_secret)]
OwnerDsn = Annotated[SecretStr | None, setting_option("owner_dsn", metavar="URL", parser=_secret)]
Embedded = Annotated[Path | None, setting_option("embedded", metavar="DIR")]
Issuers = Annotated[str | None, setting_option("issuers", metavar="URL,URL")]
ProjectorDsn = Annotated[SecretStr | None, setting_option("projector_dsn", metavar="URL", parser=_secret)]
ProjectorRole = Annotated[str | None, setting_option("projector_role", metavar="ROLE")]
ServiceRole = Annotated[str | None, setting_option("service_role", metavar="ROLE")]
Host = Annotated[str | None, setting_option("host", metavar="ADDRESS")]
Port = Annotated[int | None, setting_option("port")]
Workers = Annotated[int | None, setting_option("workers")]
LogFormat = Annotated[str | None, setting_option("log_format", metavar="auto|json|console")]
LogLevel = Annotated[str | None, setting_option("log_level", metavar="debug|info|warning|error")]
BehindProxy = Annotated[bool | None, setting_option("behind_proxy")]
MaxWaitingAppends = Annotated[int | None, setting_option("max_waiting_appends")]
PoolSize = Annotated[int | None, setting_option("pool_size")]
Follow = Annotated[bool | None, setting_option("follow")]
SweepSeconds = Annotated[float | None, setting_option("sweep_seconds")]
Metrics = Annotated[bool | None, setting_option("metrics")]
ShutdownSeconds = Annotated[float | None, setting_option("shutdown_seconds")]

IssuerChoice = Annotated[
    str | None,
    option(
        "--issuer", "The issuer to work on, by URL or path. Required if several issuers are configured.", "URL|PATH"
    ),
]
Actor = Annotated[
    str | None, option("--actor", "Who makes this change; recorded as operator:NAME. Default: the login name.", "NAME")
]
Archives = Annotated[
    Path | None, option("--archives", "The folder of the log's archives; archived events are read from it.", "FOLDER")
]
Json = Annotated[bool, option("--json", "Print the result as one JSON document.")]
Reason = Annotated[str, option("--reason", "The reason, in one line; recorded for auditors.")]
