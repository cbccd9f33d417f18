import pytest

from api.service.settings import Settings, SettingsError, find_unknown_variables, load_settings, variable_name

PASSWORD_DSN = "postgresql://service:open-sesame@db/ledger"


def test_issuer_defaults_to_localhost_and_the_port():
    settings = load_settings()
    assert [i.url for i in settings.issuer_identifiers()] == ["http://localhost:8085/ms-auth-server"]
    assert [i.url for i in settings.issuer_identifiers(9000)] == ["http://localhost:9000/ms-auth-server"]
    assert settings.host == "127.0.0.1"


def test_flag_overrides_variable_and_variable_overrides_default(monkeypatch):
    monkeypatch.setenv("TOKEN_LEDGER_PORT", "9001")
    assert load_settings().port == 9001
    assert load_settings({"port": 9002}).port == 9002
    assert load_settings({"port": None}).port == 9001


def test_empty_variable_is_ignored(monkeypatch):
    monkeypatch.setenv("TOKEN_LEDGER_WORKERS", "")
    assert load_settings().workers == 1


def test_issuers_are_separated_by_commas_or_spaces(monkeypatch):
    monkeypatch.setenv("TOKEN_LEDGER_ISSUERS", "https://a.example/one, https://a.example/two https://a.example/three")
    paths = [i.path for i in load_settings().issuer_identifiers()]
    assert paths == ["/one", "/two", "/three"]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("port", "eighty", "valid integer"),
        ("port", "70000", "less than or equal to 65535"),
        ("workers", "0", "greater than or equal to 1"),
        ("log_format", "xml", "'auto', 'json' or 'console'"),
        ("issuers", "ftp://a.example/x", "must be an absolute https or http URL"),
        ("issuers", "https://a.example/x https://b.example/x", "would share a log"),
        ("shutdown_seconds", "0", "greater than 0"),
        ("dsn", "db.example:5432", "starts with postgresql://"),
        ("owner_dsn", "mysql://root@db/x", "starts with postgresql://"),
    ],
)
def test_invalid_value_is_one_line_with_flag_and_variable(monkeypatch, name, value, says):
    monkeypatch.setenv(variable_name(name), value)
    with pytest.raises(SettingsError) as raised:
        load_settings()
    message = str(raised.value)
    assert says in message
    assert message.startswith(f"--{name.replace('_', '-')} ({variable_name(name)}): ")
    assert "\n" not in message


@pytest.mark.parametrize("name", ["dsn", "owner_dsn"])
def test_dsn_is_never_shown(monkeypatch, name):
    monkeypatch.setenv(variable_name(name), PASSWORD_DSN)
    settings = load_settings()
    assert "open-sesame" not in repr(settings) + str(settings) + str(settings.model_dump())
    monkeypatch.setenv(variable_name(name), "open-sesame:broken")
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert "open-sesame" not in str(raised.value)


def test_two_databases_are_refused(monkeypatch):
    monkeypatch.setenv("TOKEN_LEDGER_DSN", PASSWORD_DSN)
    monkeypatch.setenv("TOKEN_LEDGER_EMBEDDED", "/data")
    with pytest.raises(SettingsError, match=r"--dsn .* and --embedded .* select two databases"):
        load_settings()


def test_database_flag_overrides_the_other_database_variable(monkeypatch):
    monkeypatch.setenv("TOKEN_LEDGER_DSN", PASSWORD_DSN)
    assert load_settings({"embedded": "/data"}).dsn is None
    monkeypatch.delenv("TOKEN_LEDGER_DSN")
    monkeypatch.setenv("TOKEN_LEDGER_EMBEDDED", "/data")
    assert load_settings({"dsn": PASSWORD_DSN}).embedded is None


def test_unknown_variable_is_reported_with_a_suggestion():
    environment = {"TOKEN_LEDGER_DNS": "open-sesame", "TOKEN_LEDGER_PORT": "1", "TOKEN_LEDGER_REASON": "x", "HOME": "/"}
    (warning,) = find_unknown_variables({"TOKEN_LEDGER_REASON"}, environment)
    assert warning == "TOKEN_LEDGER_DNS is not a setting and has no effect; did you mean TOKEN_LEDGER_DSN?"


def test_variables_of_the_test_suite_are_not_reported():
    assert find_unknown_variables((), {"TOKEN_LEDGER_TEST_DSN": "x"}) == []


def test_every_setting_has_a_description():
    assert all(len(field.description or "") > 20 for field in Settings.model_fields.values())
