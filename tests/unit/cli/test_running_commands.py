import pytest

from api.embedded_postgres import EmbeddedPostgresError
from ledger.domain.errors import Unavailable
from migrations.preconditions import MigrationError

ONE, TWO = "https://a.example/one", "https://a.example/two"
NOWHERE = "postgresql://service:open-sesame@127.0.0.1:1/ledger"
COMMANDS = [
    ("clients", "list"),
    ("tokens", "history", "00000000-0000-0000-0000-000000000007"),
    ("doctor",),
    ("audit", "tokens"),
    ("migrate",),
]


@pytest.mark.parametrize("words", COMMANDS)
def test_exit_code_is_2_when_no_database_is_configured(bare_cli, words):
    result = bare_cli(*words)
    assert result.exit_code == 2
    assert "no database: give --" in result.stderr
    assert "--embedded (TOKEN_LEDGER_EMBEDDED)" in result.stderr


@pytest.mark.parametrize("words", COMMANDS)
def test_exit_code_is_3_without_a_password_when_unreachable(bare_cli, words):
    result = bare_cli(*words, "--dsn", NOWHERE)
    assert result.exit_code == 3
    assert "cannot be reached" in result.stderr
    assert "open-sesame" not in result.output
    assert "Traceback" not in result.output


def test_exit_code_is_3_with_the_remedy_when_not_migrated(cli, memory):
    memory.reported = ("The database is not migrated: run 'token-ledger migrate'.",)
    result = cli("clients", "list")
    assert result.exit_code == 3
    assert "run 'token-ledger migrate'" in result.stderr


def test_exit_code_is_2_when_a_flag_or_command_is_unknown(bare_cli):
    assert bare_cli("clients", "list", "--nope").exit_code == 2
    assert bare_cli("nope").exit_code == 2


def test_exit_code_is_2_when_a_setting_is_invalid(bare_cli, monkeypatch):
    monkeypatch.setenv("TOKEN_LEDGER_POOL_SIZE", "many")
    result = bare_cli("doctor")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: --pool-size (TOKEN_LEDGER_POOL_SIZE): ")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Unavailable("away"), 3),
        (MigrationError("the service's role is missing"), 1),
        (EmbeddedPostgresError("no extra"), 1),
    ],
)
def test_expected_error_is_printed_as_its_message(bare_cli, monkeypatch, error, code):
    def fails(*_args, **_flags):
        raise error

    monkeypatch.setattr("api.cli.migrate.apply_migrations", fails)
    result = bare_cli("migrate", "--dsn", NOWHERE)
    assert (result.exit_code, result.stderr) == (code, f"error: {error}\n")


def test_warns_when_a_variable_is_misspelt(cli, monkeypatch):
    monkeypatch.setenv("TOKEN_LEDGER_ISSUER_", "open-sesame")
    result = cli("clients", "list")
    assert result.exit_code == 0
    assert "warning: TOKEN_LEDGER_ISSUER_ is not a setting and has no effect" in result.stderr
    assert "open-sesame" not in result.output


def test_version_is_printed(bare_cli):
    assert bare_cli.ok("--version").startswith("token-ledger ")


@pytest.mark.parametrize("choice", [TWO, "/two", "two"])
def test_issuer_is_chosen_by_url_path_or_log_name(cli, memory, choice):
    cli.ok("clients", "add", "x", "--issuers", f"{ONE},{TWO}", "--issuer", choice)
    assert memory.stores.keys() == {"two"}


@pytest.mark.parametrize(
    ("flags", "says"),
    [((), "several issuers are configured"), (("--issuer", "three"), "no issuer 'three' is configured")],
)
def test_exit_code_is_2_with_a_list_when_the_issuer_is_ambiguous(cli, flags, says):
    result = cli("clients", "list", "--issuers", f"{ONE},{TWO}", *flags)
    assert result.exit_code == 2
    assert f"{says}: choose one with --issuer from {ONE}, {TWO}" in result.stderr


def test_issuer_is_chosen_by_environment_variable(cli, memory, monkeypatch):
    monkeypatch.setenv("TOKEN_LEDGER_ISSUERS", f"{ONE} {TWO}")
    monkeypatch.setenv("TOKEN_LEDGER_ISSUER", "/one")
    cli.ok("clients", "list")
    assert memory.stores.keys() == {"one"}
