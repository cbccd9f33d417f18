"""Read a clients file: TOML that declares clients.

    [clients.billing]
    name = "Billing"
    grant_types = ["client_credentials"]
    scopes = ["invoice.read"]
    secrets = [{ env = "BILLING_SECRET" }]

All problems of a file are reported together, with their line numbers where they are known, before anything changes.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
from msgspec import Struct
from pydantic import SecretStr

from ledger.domain.client import check_client_id, check_settings
from ledger.domain.errors import InvalidRegistration, Refusal
from ledger.domain.events import ClientSettings
from ledger.domain.secrets import MAX_SECRET_CHARACTERS
from ledger.use_cases.client_registry import MIN_SECRET_CHARACTERS

SECRET_SOURCES = ("env", "file", "value")
SETTINGS_KEYS = tuple(name for name in ClientSettings.__struct_fields__ if name != "demo")
SETTING_TYPES = get_type_hints(ClientSettings, include_extras=True)
KEYS = (*SETTINGS_KEYS, "secrets")


class ClientsFileError(Refusal):
    """The clients file is invalid; the message has one line per problem."""


class DeclaredClient(Struct, frozen=True):
    """A declared client. `secrets` are those it must accept; None means that one is generated."""

    client_id: str
    settings: ClientSettings
    secrets: tuple[SecretStr, ...] | None = None


def read_clients_file(path: Path, environment: Mapping[str, str]) -> list[DeclaredClient]:
    """Return the declared clients in the order of the file, with their secrets read from where the file says.

    Paths are relative to the folder of the file. Raises ClientsFileError, which lists every problem.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"{path}: is not TOML: {error}"
        raise ClientsFileError(msg) from None
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read: {_explain(error)}"
        raise ClientsFileError(msg) from None
    return _Reader(path, text, environment).read(document)


class _Reader:
    def __init__(self, path: Path, text: str, environment: Mapping[str, str]) -> None:
        self._path = path
        self._text = text
        self._environment = environment
        self._problems: list[str] = []

    def read(self, document: dict[str, Any]) -> list[DeclaredClient]:
        for key in document.keys() - {"clients"}:
            self._add_problem(f"unknown key {key!r}: a clients file has tables [clients.CLIENT_ID]", key)
        tables = document.get("clients", {})
        if not isinstance(tables, dict):
            self._add_problem("'clients' must hold tables: [clients.CLIENT_ID]", "clients")
            tables = {}
        if not tables and not self._problems:
            self._add_problem("no client is declared: add a table [clients.CLIENT_ID]")
        declared = [self._read_client(client_id, table) for client_id, table in tables.items()]
        if self._problems:
            raise ClientsFileError("\n".join(self._problems))
        return [client for client in declared if client is not None]

    def _read_client(self, client_id: str, table: Any) -> DeclaredClient | None:
        """Read a client. Returns None after a problem with its settings."""
        if not isinstance(table, dict):
            self._add_problem(f"client {client_id!r} must be a table: [clients.{client_id}]", client_id)
            return None
        for key in table.keys() - set(KEYS):
            self._refuse(client_id, key, f"unknown key {key!r}; the keys are {', '.join(KEYS)}")
        secrets = self._read_secrets(client_id, table["secrets"]) if "secrets" in table else None
        values: dict[str, Any] = {"name": client_id}
        try:
            for key in filter(table.__contains__, SETTINGS_KEYS):
                values[key] = msgspec.convert(table[key], SETTING_TYPES[key])
            settings = ClientSettings(**values)
            check_client_id(client_id)
            check_settings(settings)
        except msgspec.ValidationError as error:
            self._refuse(client_id, key, f"{key}: {error}")
        except InvalidRegistration as error:
            self._refuse(client_id, error.field, str(error))
        else:
            return DeclaredClient(client_id, settings, secrets)
        return None

    def _read_secrets(self, client_id: str, entries: Any) -> tuple[SecretStr, ...]:
        secrets = []
        if not isinstance(entries, list):
            self._refuse(client_id, "secrets", "'secrets' must be an array of tables")
            return ()
        for entry in entries:
            source = next(iter(entry)) if isinstance(entry, dict) and len(entry) == 1 else None
            if source not in SECRET_SOURCES or not isinstance(entry[source], str):
                form = 'a secret is one of { env = "NAME" }, { file = "path" } and { value = "..." }'
                self._refuse(client_id, "secrets", form)
                continue
            try:
                secrets.append(SecretStr(self._fetch_secret(source, entry[source])))
            except LookupError as error:
                self._refuse(client_id, "secrets", f"secrets: {error.args[0]}")
        return tuple(secrets)

    def _fetch_secret(self, source: str, where: str) -> str:
        """Read a secret from its source. Raises LookupError, which does not quote the secret."""
        secret, name = where, "a value"
        if source == "env":
            name = f"the environment variable {where}"
            if where not in self._environment:
                msg = f"{name} is not set"
                raise LookupError(msg)
            secret = self._environment[where]
        elif source == "file":
            name = f"the file {where}"
            try:
                secret = (self._path.parent / where).read_text(encoding="utf-8").rstrip("\r\n")
            except (OSError, UnicodeDecodeError) as error:
                msg = f"{name} cannot be read: {_explain(error)}"
                raise LookupError(msg) from None
        if not MIN_SECRET_CHARACTERS <= len(secret) <= MAX_SECRET_CHARACTERS:
            allowed = f"{MIN_SECRET_CHARACTERS} to {MAX_SECRET_CHARACTERS} characters"
            msg = f"{name} must have {allowed}, but has {len(secret)}"
            raise LookupError(msg)
        return secret

    def _refuse(self, client_id: str, key: str | None, what: str) -> None:
        self._add_problem(f"client {client_id!r}: {what}", key, client_id)

    def _add_problem(self, what: str, key: str | None = None, client_id: str | None = None) -> None:
        line = self._find_line(key, client_id)
        self._problems.append(f"{self._path}{f':{line}' if line else ''}: {what}")

    def _find_line(self, key: str | None, client_id: str | None) -> int | None:
        """Find the line of a key, else of its table, with regular expressions: tomllib does not report lines."""
        header = re.compile(r"\s*\[\s*clients\s*\.\s*[\"']?(?P<id>.*?)[\"']?\s*\]")
        assignment = re.compile(rf"\s*[\"']?{re.escape(key or '')}[\"']?\s*[=.]")
        wanted = key if client_id is None else client_id
        table = table_line = None
        for number, line in enumerate(self._text.splitlines(), start=1):
            if found := header.match(line):
                table = found["id"]
                table_line = number if table == wanted else table_line
            elif table is not None and table == client_id and key is not None and assignment.match(line):
                return number
        return table_line


def _explain(error: OSError | UnicodeDecodeError) -> str | None:
    return error.strerror if isinstance(error, OSError) else "it is not UTF-8"
