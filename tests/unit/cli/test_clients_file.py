import pytest

from api.operations.clients_file import ClientsFileError, read_clients_file

WHOLE = """
[clients.billing]
name = "Billing"
grant_types = ["client_credentials"]
scopes = ["invoice.read", "invoice.write"]
default_scopes = ["invoice.read"]
audience = ["ledger"]
access_token_lifetime = 900
introspection = "audience"
secrets = [{ env = "BILLING_SECRET" }, { file = "secret.txt" }]

[clients."https://gateway.example/"]
"""


@pytest.fixture
def file(tmp_path):
    def write(text: str):
        path = tmp_path / "clients.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refusal(path, environment=None) -> str:
    with pytest.raises(ClientsFileError) as raised:
        read_clients_file(path, environment or {})
    return str(raised.value).replace(str(path), "clients.toml")


def test_file_declares_every_setting_and_the_source_of_secrets(file, tmp_path):
    (tmp_path / "secret.txt").write_text("from-a-file\n", encoding="utf-8")
    billing, gateway = read_clients_file(file(WHOLE), {"BILLING_SECRET": "from-the-environment"})
    settings = billing.settings
    assert settings.scopes == ("invoice.read", "invoice.write")
    assert settings.default_scopes == ("invoice.read",)
    assert settings.audience == ("ledger",)
    assert (settings.access_token_lifetime, settings.introspection, settings.demo) == (900, "audience", False)
    assert [s.get_secret_value() for s in billing.secrets or ()] == ["from-the-environment", "from-a-file"]
    assert (gateway.client_id, gateway.settings.name) == ("https://gateway.example/", "https://gateway.example/")


def test_missing_secrets_differ_from_an_empty_list(file):
    unnamed, unwanted = read_clients_file(file("[clients.a]\n[clients.b]\nsecrets = []"), {})
    assert unnamed.secrets is None
    assert unwanted.secrets == ()


def test_repr_contains_no_secret(file):
    path = file('[clients.a]\nsecrets = [{ value = "open-sesame" }]')
    assert "open-sesame" not in repr(read_clients_file(path, {}))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "[clients.a]\nscope = ['x']",
            "clients.toml:2: client 'a': unknown key 'scope'; the keys are name, ",
        ),
        ("[clients.a]\nname='A'\n\n[clients.b]\nscope = ['x']", "clients.toml:5: client 'b': unknown key 'scope'"),
        ("[clients.a]\ndemo = true", "clients.toml:2: client 'a': unknown key 'demo'"),
        ("[client.a]\n", "unknown key 'client'"),
        ("[clients.a]\nscopes = 'x'", "clients.toml:2: client 'a': scopes: Expected `array`, got `str`"),
        ("[clients.a]\nscopes = ['x y']", "clients.toml:2: client 'a': scopes: 'x y' is not a scope token"),
        ("[clients.a]\naccess_token_lifetime = 0", "clients.toml:2: client 'a': access_token_lifetime: must be 1 to"),
        ("[clients.a]\nintrospection = 'all'", "clients.toml:2: client 'a': introspection: Invalid enum value 'all'"),
        ("[clients.'a b']", "client_id 'a b': must be 1 to 255 visible ASCII characters"),
        (
            "[clients.a]\nsecrets = [{ env = 'NOPE' }]",
            "clients.toml:2: client 'a': secrets: the environment variable NOPE",
        ),
        ("[clients.a]\nsecrets = [{ file = 'nope' }]", "the file nope cannot be read: No such file or directory"),
        ("[clients.a]\nsecrets = [{ value = 'short' }]", "a value must have 8 to 1024 characters, but has 5"),
        (
            "[clients.a]\nsecrets = ['x']",
            'a secret is one of { env = "NAME" }, { file = "path" } and { value = "..." }',
        ),
        ("[clients.a]\nsecrets = [{ env = 'A', file = 'b' }]", "a secret is one of"),
        ("[clients.a]\nsecrets = 'x'", "'secrets' must be an array"),
        ("clients = 1", "'clients' must hold tables"),
        ("[clients]\na = 1", "client 'a' must be a table"),
        ("", "no client is declared"),
        ("[clients.a", "is not TOML"),
        ("[clients.a]\n[clients.a]", "is not TOML"),
    ],
)
def test_problem_names_file_line_client_and_field(file, text, says):
    assert says in refusal(file(text))


def test_every_problem_is_reported_at_once(file):
    lines = refusal(
        file("[clients.a]\nscope = []\n[clients.b]\nscopes = ['x y']\nsecrets = [{ env = 'NO' }]")
    ).splitlines()
    assert len(lines) == 3


def test_refused_secret_is_not_quoted(file):
    assert "abc12" not in refusal(file("[clients.a]\nsecrets = [{ value = 'abc12' }]"))


def test_missing_file_is_named(tmp_path):
    assert "cannot be read: No such file or directory" in refusal(tmp_path / "clients.toml")
