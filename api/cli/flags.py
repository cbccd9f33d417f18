"""The flags of commands. Each has an environment variable, which its help names.

Flags of settings take their description, variable and validation from `Settings` and default to None, so that the
setting decides. The other flags name their variable here.
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import SecretStr
from typer.core import TyperCommand
from typer.main import get_command

from api.operations.archive_folder import ArchiveFolder
from api.service.settings import PREFIX, Settings, flag_name, load_settings, variable_name


def setting_option(field: str, metavar: str | None = None, **more: Any) -> Any:
    """Define the option that overrides a setting."""
    info = Settings.model_fields[field]
    default = info.default
    shown = "" if default is None or default == () or isinstance(default, bool) else f"; default: {default}"
    names = [flag_name(field)]
    if info.annotation is bool:
        names = [f"{flag_name(field)}/--no-{flag_name(field).removeprefix('--')}"]
    text = f"{info.description} (env var: {variable_name(field)}{shown})"
    return typer.Option(*names, help=text, show_default=False, metavar=metavar, **more)


def option(flag: str, help_text: str, metavar: str | None = None, *, variable: str | None = None, **more: Any) -> Any:
    """Define an option that is not a setting. Its environment variable is named after the flag, or `variable`."""
    name = variable or flag.removeprefix("--").replace("-", "_").upper()
    return typer.Option(flag, help=help_text, metavar=metavar, envvar=PREFIX + name, **more)


Reason = Annotated[str, option("--reason", "The reason, in one line; recorded for auditors.")]
ClientId = Annotated[str, typer.Argument(metavar="CLIENT_ID", help="The client's id.")]


@dataclass(frozen=True, kw_only=True)
class SharedFlags:
    """The values of the flags that several commands share; a flag that a command does not take has its default."""

    host: Annotated[str | None, setting_option("host", "ADDRESS")] = None
    port: Annotated[int | None, setting_option("port")] = None
    workers: Annotated[int | None, setting_option("workers")] = None
    archives: Annotated[
        ArchiveFolder | None,
        option(
            "--archives",
            "The folder of the log's archives; archived events are read from it.",
            "FOLDER",
            parser=lambda path: ArchiveFolder(Path(path)),
        ),
    ] = None
    json: Annotated[bool, option("--json", "Print the result as one JSON document.")] = False
    url: Annotated[
        str | None,
        option(
            "--url",
            "Read from this issuer's service over HTTP instead of a database. Needs scope audit.read.",
            "ISSUER_URL",
        ),
    ] = None
    audit_client_id: Annotated[
        str | None,
        option(
            "--audit-client-id",
            "With --url: the client that requests the token. Its secret is in TOKEN_LEDGER_AUDIT_CLIENT_SECRET.",
            "CLIENT_ID",
        ),
    ] = None
    audit_secret_file: Annotated[
        Path | None, option("--audit-secret-file", "With --url: a file with that client's secret.", "FILE")
    ] = None
    audit_token_file: Annotated[
        Path | None,
        option(
            "--audit-token-file",
            "With --url: a file with an access token. The variable TOKEN_LEDGER_AUDIT_TOKEN can hold it instead.",
            "FILE",
        ),
    ] = None
    owner_dsn: Annotated[SecretStr | None, setting_option("owner_dsn", "URL", parser=SecretStr)] = None
    dsn: Annotated[SecretStr | None, setting_option("dsn", "URL", parser=SecretStr)] = None
    projector_dsn: Annotated[SecretStr | None, setting_option("projector_dsn", "URL", parser=SecretStr)] = None
    embedded: Annotated[Path | None, setting_option("embedded", "DIR")] = None
    allow_mutable_log: Annotated[bool | None, setting_option("allow_mutable_log")] = None
    service_role: Annotated[str | None, setting_option("service_role", "ROLE")] = None
    projector_role: Annotated[str | None, setting_option("projector_role", "ROLE")] = None
    issuers: Annotated[str | None, setting_option("issuers", "URL,URL")] = None
    issuer: Annotated[
        str | None,
        option(
            "--issuer", "The issuer to work on, by URL or path. Required if several issuers are configured.", "URL|PATH"
        ),
    ] = None
    actor: Annotated[
        str | None,
        option("--actor", "Who makes this change; recorded as operator:NAME. Default: the login name.", "NAME"),
    ] = None
    log_format: Annotated[str | None, setting_option("log_format", "auto|json|console")] = None
    log_level: Annotated[str | None, setting_option("log_level", "debug|info|warning|error")] = None
    behind_proxy: Annotated[bool | None, setting_option("behind_proxy")] = None
    max_waiting_appends: Annotated[int | None, setting_option("max_waiting_appends")] = None
    pool_size: Annotated[int | None, setting_option("pool_size")] = None
    follow: Annotated[bool | None, setting_option("follow")] = None
    sweep_seconds: Annotated[float | None, setting_option("sweep_seconds")] = None
    verify_seconds: Annotated[float | None, setting_option("verify_seconds")] = None
    metrics: Annotated[bool | None, setting_option("metrics")] = None
    shutdown_seconds: Annotated[float | None, setting_option("shutdown_seconds")] = None

    def load_settings(self) -> Settings:
        """Load the settings with these flags on top. Raises SettingsError."""
        return load_settings({name: value for name, value in vars(self).items() if name in Settings.model_fields})


def command_taking(names: tuple[str, ...]) -> type[TyperCommand]:
    """Define a command that takes these shared flags after its own; `context.obj` holds their values."""
    if unknown := set(names) - {field.name for field in fields(SharedFlags)}:
        raise ValueError(unknown)
    parser = typer.Typer(add_completion=False)
    parser.command()(SharedFlags)
    declared: Any = get_command(parser)
    options = [parameter for parameter in declared.params if parameter.name in names]

    class CommandTakingSharedFlags(TyperCommand):
        def __init__(self, *args: Any, params: list[Any], **more: Any) -> None:
            super().__init__(*args, params=[*params, *options], **more)

        def invoke(self, ctx: Any) -> Any:
            ctx.obj = declared.callback(**{name: ctx.params.pop(name) for name in names})
            return super().invoke(ctx)

    return CommandTakingSharedFlags
