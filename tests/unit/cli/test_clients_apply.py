import json

import pytest

import api.cli.clients.apply as command
from ledger.domain.errors import Unavailable

FILE = """
[clients.billing]
name = "Billing"
grant_types = ["client_credentials"]
scopes = ["invoice.read"]
secrets = [{ env = "BILLING_SECRET" }]

[clients.gateway]
introspection = "issuer"
"""


@pytest.fixture(autouse=True)
def _secret(monkeypatch):
    monkeypatch.setenv("BILLING_SECRET", "chosen-by-a-person")


@pytest.fixture
def apply(cli, tmp_path):
    def run(text: str, *flags: str):
        path = tmp_path / "clients.toml"
        path.write_text(text, encoding="utf-8")
        return cli("clients", "apply", str(path), *flags)

    return run


@pytest.fixture
def applied(apply):
    return lambda text, *flags: json.loads(apply(text, *flags, "--json").stdout)


def test_first_run_adds_clients_and_generates_undeclared_secrets(applied, memory):
    document = applied(FILE)
    billing, gateway = document["clients"]
    assert (billing["action"], billing["secrets_added"], billing.get("client_secret")) == ("added", 1, None)
    assert (gateway["action"], gateway["secrets_added"]) == ("added", 1)
    assert len(gateway["client_secret"]) == 43
    client = memory.run(memory.issuer().authentication.authenticate("billing", "chosen-by-a-person"))
    assert client.settings.scopes == ("invoice.read",)
    memory.run(memory.issuer().authentication.authenticate("gateway", gateway["client_secret"]))


def test_second_run_records_nothing(applied, memory):
    applied(FILE)
    before = len(memory.events())
    document = applied(FILE)
    assert [c["action"] for c in document["clients"]] == ["unchanged", "unchanged"]
    assert len(memory.events()) == before


def test_changed_setting_is_printed_with_both_values(applied, apply):
    applied(FILE)
    changed = FILE.replace('"invoice.read"', '"invoice.read", "invoice.write"')
    result = apply(changed, "--dry-run")
    assert "changed    billing\n    scopes: [invoice.read] -> [invoice.read, invoice.write]\n" in result.stdout
    billing, gateway = applied(changed)["clients"]
    assert billing["fields"] == {"scopes": {"from": ["invoice.read"], "to": ["invoice.read", "invoice.write"]}}
    assert gateway["action"] == "unchanged"


def test_dry_run_prints_the_changes_and_records_nothing(applied, memory):
    document = applied(FILE, "--dry-run")
    assert [c["action"] for c in document["clients"]] == ["added", "added"]
    assert document["dry_run"]
    assert memory.events() == []


def test_undeclared_client_is_not_changed_and_is_named(applied, apply, cli):
    cli.ok("clients", "add", "other")
    assert applied(FILE)["left_alone"] == ["other"]
    assert "not changed, because the file does not name them: other" in apply(FILE).stderr
    assert cli.json("clients", "show", "other")["enabled"]


def test_disabled_client_stays_disabled(applied, apply, cli):
    applied(FILE)
    cli.ok("clients", "disable", "billing")
    assert "unchanged  billing (disabled; the file does not change that)" in apply(FILE).stdout
    assert not cli.json("clients", "show", "billing")["enabled"]


def test_changed_secret_is_added_to_the_old_one(applied, monkeypatch):
    applied(FILE)
    monkeypatch.setenv("BILLING_SECRET", "the-next-one-chosen")
    billing, _ = applied(FILE)["clients"]
    assert (billing["action"], billing["fields"], billing["secrets_added"]) == ("changed", {}, 1)


def test_nothing_is_changed_when_one_client_is_refused(applied, apply, memory, monkeypatch):
    applied(FILE)
    monkeypatch.setenv("BILLING_SECRET", "the-second-one")
    applied(FILE)
    monkeypatch.setenv("BILLING_SECRET", "the-third-one")
    before = len(memory.events())
    result = apply("[clients.new]\n" + FILE)
    assert result.exit_code == 1
    assert "client 'billing': it would have 3 valid secrets, of at most 2" in result.stderr
    assert len(memory.events()) == before


def test_invalid_file_is_refused_with_its_line(apply):
    result = apply(FILE + 'scope = ["x"]\n')
    assert result.exit_code == 1
    assert "clients.toml:10: client 'gateway': unknown key 'scope'" in result.stderr


def test_next_run_generates_the_secret_when_one_run_failed(applied, cli):
    cli.ok("clients", "add", "gateway", "--introspection", "issuer", "--no-secret")
    _, gateway = applied(FILE)["clients"]
    assert gateway["secrets_added"] == 1
    assert "client_secret" in gateway


def test_empty_list_of_secrets_generates_none(applied):
    (client,) = applied("[clients.quiet]\nsecrets = []")["clients"]
    assert client["secrets_added"] == 0


def test_generated_secrets_are_printed_when_a_later_change_fails(apply, memory, monkeypatch):
    real = command.apply_changes

    async def breaking(registry, changes, cause, generated):
        await real(registry, changes[:1], cause, generated)
        raise Unavailable

    monkeypatch.setattr(command, "apply_changes", breaking)
    result = apply("[clients.first]\n[clients.second]")
    assert result.exit_code == 3
    assert "client_secret" in result.stdout


def test_chosen_secret_is_never_printed(apply):
    for flags in ((), ("--json",), ("--dry-run",)):
        assert "chosen-by-a-person" not in apply(FILE, *flags).output
