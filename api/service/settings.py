"""Every setting of the service, in one class: the only place that reads TOKEN_LEDGER_ variables.

A flag of the command line wins over its variable, a variable over the default. The descriptions below are what
`--help` prints.
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
"""Variables of the test suite; they are no settings and no typing mistakes either."""


class SettingsError(Exception):
    """Settings that cannot be used. The message has one line per setting and never shows a DSN."""


class Settings(BaseSettings):
    """What an operator can decide. Raises through `load_settings` only, so that messages name variable and flag."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True)

    dsn: SecretStr | None = Field(
        default=None,
        description="PostgreSQL to use, as the restricted service role: postgresql://user:password@host/database. "
        "The database must be migrated already.",
    )
    owner_dsn: SecretStr | None = Field(
        default=None,
        description="The same database as the role that owns the tables. Only migrations and builds of projections use "
        "it: leave it out of the environment of the running service.",
    )
    embedded: Path | None = Field(
        default=None,
        description="Run a PostgreSQL of our own, with its data in this folder, instead of connecting to one. "
        "Zero set-up, for trying out and tests: no replicas, no backups.",
    )
    service_role: str = Field(
        default="token_ledger_service",
        min_length=1,
        max_length=63,
        description="The role that migrations grant the service's privileges to. It must exist.",
    )
    issuers: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Issuer URLs, separated by commas; each has its own clients and its own log, named by the URL's "
        "path. Changing a path later leaves its clients and tokens behind. "
        f"Default: http://localhost:PORT{DEFAULT_PATH}.",
    )
    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on. 0.0.0.0 opens the service to the network, unencrypted: "
        "put a TLS proxy in front.",
    )
    port: int = Field(
        default=8085, ge=0, le=65535, description="Port to listen on; 0 takes a free one and prints which."
    )
    workers: int = Field(
        default=1,
        ge=1,
        le=256,
        description="Processes that serve. Above 1 they run under gunicorn; each holds its own connections "
        "(pool size) and its own queue.",
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="json for machines, console for people; auto is console on a terminal, else json."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="The least that is logged. info writes one line per request; debug adds health checks.",
    )
    behind_proxy: bool = Field(
        default=False,
        description="Take the caller's address from the last entry of X-Forwarded-For. Only behind a proxy that sets "
        "it: otherwise callers write into the ledger what address they like.",
    )
    max_waiting_appends: int = Field(
        default=4096,
        ge=1,
        description="Issuances and revocations of one process that may wait to be recorded; beyond it they are "
        "answered 503. More absorbs longer bursts at the price of longer waits.",
    )
    pool_size: int = Field(
        default=8,
        ge=2,
        le=1000,
        description="Database connections of one process. Writing needs one, reading is batched: more than a few "
        "cost PostgreSQL memory and gain nothing.",
    )
    follow: bool = Field(
        default=True,
        description="Keep the projections that follow the log up to date in these processes, as far as no other does. "
        "Switched off, 'token-ledger projections run' has to do it somewhere, or audit queries fall behind.",
    )
    sweep_seconds: float = Field(
        default=600.0,
        ge=0,
        allow_inf_nan=False,
        description="How long after its expiry a token's row may stay in active_tokens, where every row stays for 10 "
        "seconds. All processes together walk over the table once in that time and remove what has expired. 0 has "
        "these processes not do it; where none does, the table grows for ever.",
    )
    metrics: bool = Field(
        default=True,
        description="Answer /metrics, and tell of projections at /readyz, without authentication. "
        "They hold no client and no token; keep them behind the proxy all the same.",
    )
    shutdown_seconds: float = Field(
        default=30.0,
        gt=0,
        le=3600,
        description="How long requests in flight may take to finish after SIGTERM. "
        "Keep it below what the orchestrator grants before it kills.",
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
                msg = f"issuer {url!r}: must have no braces"
                raise ValueError(msg)
            if identifier.log_name in paths:
                msg = (
                    f"issuers {paths[identifier.log_name]!r} and {url!r} have the same path, so they would share a log"
                )
                raise ValueError(msg)
            paths[identifier.log_name] = url
        return value

    @field_validator("dsn", "owner_dsn")
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
        """The issuers, or the default one at `port`: the port listened on, where that was chosen by the system."""
        urls = self.issuers or (f"http://localhost:{port or self.port}{DEFAULT_PATH}",)
        return tuple(map(IssuerIdentifier, urls))


def load_settings(flags: Mapping[str, Any] | None = None) -> Settings:
    """The settings of this environment, with the flags that were given (not None) on top.

    A flag that names the database puts aside a variable that names another. Raises SettingsError.
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
        msg = f"{name_of('dsn')} and {name_of('embedded')} name two databases: give one of them"
        raise SettingsError(msg)
    return settings


def variable(field: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + field.upper()


def flag(field: str) -> str:
    """The command line flag of a setting."""
    return "--" + field.replace("_", "-")


def name_of(field: str) -> str:
    """How messages name a setting: by both of its names."""
    return f"{flag(field)} ({variable(field)})"


def unknown_variables(known: Iterable[str], environment: Mapping[str, str] | None = None) -> list[str]:
    """A warning for every TOKEN_LEDGER_ variable that nothing reads; its value is not shown.

    `known` are the twins of flags that are no settings.
    """
    names = {variable(field) for field in Settings.model_fields} | set(known)
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
    return f"{name_of(field)}: {text}"
