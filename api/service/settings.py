"""All settings of the service, in one class: the only code that reads TOKEN_LEDGER_ variables.

A command-line flag overrides the variable, and the variable overrides the default. `--help` prints the descriptions.
"""

import os
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ledger.use_cases.issuer import IssuerIdentifier

PREFIX = "TOKEN_LEDGER_"
DEFAULT_PATH = "/ms-auth-server"
TEST_PREFIX = "TOKEN_LEDGER_TEST_"
"""Variables of the test suite, which are not settings."""


class SettingsError(Exception):
    """The settings are invalid. The message has one line per setting and never shows a DSN."""


class Settings(BaseSettings):
    """The settings an operator can change. Create it with `load_settings`, whose errors name variable and flag."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True)

    dsn: SecretStr | None = Field(
        default=None,
        description="PostgreSQL DSN of the restricted service role: postgresql://user:password@host/database. The "
        "database must already be migrated.",
    )
    owner_dsn: SecretStr | None = Field(
        default=None,
        description="DSN of the role that owns the tables, for the same database. Only migrations and projection "
        "rebuilds use it: keep it out of the environment of the running service.",
    )
    projector_dsn: SecretStr | None = Field(
        default=None,
        description="DSN of the role that writes catch-up projections, for the same database. Default: the DSN of the "
        "service, whose role must then have that right too: 'doctor' says what this gives up.",
    )
    allow_mutable_log: bool = Field(
        default=False,
        description="Serve although the role of the DSN is a superuser or the owner of the tables, and could change "
        "recorded events.",
    )
    embedded: Path | None = Field(
        default=None,
        description="Run an embedded PostgreSQL with its data in this folder, instead of connecting to a server. "
        "For trials and tests: it has no replicas and no backups.",
    )
    service_role: str = Field(
        default="token_ledger_service",
        min_length=1,
        max_length=63,
        description="The existing role to which migrations grant the service's privileges.",
    )
    projector_role: str = Field(
        default="token_ledger_projector",
        min_length=1,
        max_length=63,
        description="The role to which migrations grant writing catch-up projections. If it does not exist, they grant "
        "that to the service's role.",
    )
    issuers: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Issuer URLs, separated by commas. Each issuer has its own clients and its own log, named by "
        "the URL's path. After a change of the path, the issuer starts with an empty log. Default: "
        f"http://localhost:PORT{DEFAULT_PATH}.",
    )
    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on. 0.0.0.0 exposes the service to the network without encryption: put a "
        "TLS proxy in front of it.",
    )
    port: int = Field(default=8085, ge=0, le=65535, description="Port to listen on; 0 selects a free port and logs it.")
    workers: int = Field(
        default=1,
        ge=1,
        le=256,
        description="Number of server processes. More than one run under gunicorn; each has its own database "
        "connections (pool size) and its own append queue.",
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="json, console, or auto: console on a terminal, json otherwise."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="Minimum level of log lines. info writes one line per request; debug adds health checks.",
    )
    behind_proxy: bool = Field(
        default=False,
        description="Read the caller's address from the last entry of X-Forwarded-For. Use it only behind a proxy "
        "that sets the header: otherwise callers can record any address in the ledger.",
    )
    max_waiting_appends: int = Field(
        default=4096,
        ge=1,
        description="How many issuances and revocations of one process may wait to be appended. Further requests "
        "get 503. A larger queue absorbs longer bursts and makes requests wait longer.",
    )
    pool_size: int = Field(
        default=8,
        ge=2,
        le=1000,
        description="Database connections of one process. Appends need one and reads are batched: more than a few "
        "cost PostgreSQL memory without a gain.",
    )
    follow: bool = Field(
        default=True,
        description="Run the catch-up projections in these processes, unless another process runs them. When this "
        "is off, run 'token-ledger projections run' elsewhere, or audit queries lag behind the log.",
    )
    sweep_seconds: float = Field(
        default=600.0,
        ge=0,
        allow_inf_nan=False,
        description="How long an expired token's row may stay in active_tokens (every row stays at least 10 "
        "seconds). All processes together sweep the table once in this time and delete expired rows. 0 turns the "
        "sweep off in these processes; if no process sweeps, the table grows without limit.",
    )
    verify_seconds: float = Field(
        default=86_400.0,
        ge=0,
        allow_inf_nan=False,
        description="In how many seconds all processes together compare every row of the projections with the log, in "
        "the background. Differences are logged and shown by /readyz, /metrics and 'doctor'; nothing is repaired. 0 "
        "turns the comparison off in these processes.",
    )
    metrics: bool = Field(
        default=True,
        description="Serve /metrics, and projection details at /readyz, without authentication. They contain no "
        "client and no token; do not expose them outside the proxy nevertheless.",
    )
    shutdown_seconds: float = Field(
        default=30.0,
        gt=0,
        le=3600,
        description="How long requests in flight may take to finish after SIGTERM. Keep it shorter than the time "
        "after which the orchestrator kills the process.",
    )

    @field_validator("issuers", mode="before")
    @classmethod
    def _split_issuers(cls, value: Any) -> Any:
        return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value

    @field_validator("issuers")
    @classmethod
    def _check_issuers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        paths: dict[str, str] = {}
        for url in value:
            identifier = IssuerIdentifier(url)
            if "{" in url or "}" in url:
                msg = f"issuer {url!r}: must not contain braces"
                raise ValueError(msg)
            if identifier.log_name in paths:
                msg = (
                    f"issuers {paths[identifier.log_name]!r} and {url!r} have the same path, so they would share a log"
                )
                raise ValueError(msg)
            paths[identifier.log_name] = url
        return value

    @field_validator("dsn", "owner_dsn", "projector_dsn")
    @classmethod
    def _check_dsn(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            try:
                scheme = urlsplit(value.get_secret_value()).scheme
            except ValueError:
                scheme = ""
            if scheme not in {"postgresql", "postgres"}:
                msg = "must be a URL that starts with postgresql://"
                raise ValueError(msg)
        return value

    def issuer_identifiers(self, port: int | None = None) -> tuple[IssuerIdentifier, ...]:
        """Return the issuers, or the default issuer at `port`, the port in use when the system chose it."""
        urls = self.issuers or (f"http://localhost:{port or self.port}{DEFAULT_PATH}",)
        return tuple(map(IssuerIdentifier, urls))


def load_settings(flags: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings from the environment; `flags` that are not None override it.

    A flag that selects the database overrides a variable that selects another. Raises SettingsError.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None and value != ()}
    if "dsn" in given and "embedded" not in given:
        given["embedded"] = None
    elif "embedded" in given and "dsn" not in given:
        given["dsn"] = None
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(e["loc"], e["msg"]) for e in error.errors())) from None
    if settings.dsn is not None and settings.embedded is not None:
        msg = f"{setting_name('dsn')} and {setting_name('embedded')} select two databases: give only one"
        raise SettingsError(msg)
    return settings


def variable_name(field: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + field.upper()


def flag_name(field: str) -> str:
    """Return the command-line flag of a setting."""
    return "--" + field.replace("_", "-")


def setting_name(field: str) -> str:
    """Return a setting's flag and variable, as messages name it."""
    return f"{flag_name(field)} ({variable_name(field)})"


def find_unknown_variables(known: Iterable[str], environment: Mapping[str, str] | None = None) -> list[str]:
    """Return a warning for each TOKEN_LEDGER_ variable that nothing reads, without its value.

    `known` names the variables of flags that are not settings.
    """
    names = {variable_name(field) for field in Settings.model_fields} | set(known)
    warnings = []
    for name in sorted(os.environ if environment is None else environment):
        if name.upper().startswith(PREFIX) and name.upper() not in names and not name.startswith(TEST_PREFIX):
            close = get_close_matches(name.upper(), sorted(names), n=1)
            meant = f"; did you mean {close[0]}?" if close else ""
            warnings.append(f"{name} is not a setting and has no effect{meant}")
    return warnings


def _explain(location: tuple[int | str, ...], message: str) -> str:
    field = str(location[0]) if location else "settings"
    text = message.removeprefix("Value error, ").removeprefix("Input ")
    return f"{setting_name(field)}: {text}"
