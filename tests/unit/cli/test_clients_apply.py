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
def applied(cli, tmp_path):
    def run(text: str, *flags: str):
        path = tmp_path / "clients.toml"
        path.write_text(text, encoding="utf-8")
        return cli.json("clients", "apply", str(path), *flags)

    return run


def test_a_first_run_adds_the_clients_and_generates_the_secrets_that_are_not_named(applied, memory):
    document = applied(FILE)
    billing, gateway = document["clients"]
    assert (billing["action"], billing["secrets_added"], billing.get("client_secret")) == ("added", 1, None)
    assert (gateway["action"], gateway["secrets_added"]) == ("added", 1)
    assert len(gateway["client_secret"]) == 43
    client = memory.run(memory.issuer().authentication.authenticate("billing", "chosen-by-a-person"))
    assert client.settings.scopes == ("invoice.read",)
    memory.run(memory.issuer().authentication.authenticate("gateway", gateway["client_secret"]))


def test_a_second_run_records_nothing(applied, memory):
    applied(FILE)
    before = len(memory.events())
    document = applied(FILE)
    assert [c["action"] for c in document["clients"]] == ["unchanged", "unchanged"]
    assert len(memory.events()) == before


def test_a_changed_field_is_shown_from_and_to(applied, apply):
    applied(FILE)
    changed = FILE.replace('"invoice.read"', '"invoice.read", "invoice.write"')
    result = apply(changed, "--dry-run")
    assert "changed    billing\n    scopes: [invoice.read] -> [invoice.read, invoice.write]\n" in result.stdout
    billing, gateway = applied(changed)["clients"]
    assert billing["fields"] == {"scopes": {"from": ["invoice.read"], "to": ["invoice.read", "invoice.write"]}}
    assert gateway["action"] == "unchanged"


def test_a_dry_run_shows_the_same_and_records_nothing(applied, memory):
    document = applied(FILE, "--dry-run")
    assert [c["action"] for c in document["clients"]] == ["added", "added"]
    assert document["dry_run"]
    assert memory.events() == []


def test_a_client_that_is_not_in_the_file_is_left_alone_and_named(applied, apply, cli):
    cli.ok("clients", "add", "other")
    assert applied(FILE)["left_alone"] == ["other"]
    assert "not changed, because the file does not name them: other" in apply(FILE).stderr
    assert cli.json("clients", "show", "other")["enabled"]


def test_a_disabled_client_stays_disabled(applied, apply, cli):
    applied(FILE)
    cli.ok("clients", "disable", "billing")
    assert "unchanged  billing (disabled; the file does not change that)" in apply(FILE).stdout
    assert not cli.json("clients", "show", "billing")["enabled"]


def test_a_changed_secret_is_added_beside_the_old_one(applied, monkeypatch):
    applied(FILE)
    monkeypatch.setenv("BILLING_SECRET", "the-next-one-chosen")
    billing, _ = applied(FILE)["clients"]
    assert (billing["action"], billing["fields"], billing["secrets_added"]) == ("changed", {}, 1)


def test_nothing_is_changed_when_any_client_cannot_be(applied, apply, memory, monkeypatch):
    applied(FILE)
    monkeypatch.setenv("BILLING_SECRET", "the-second-one")
    applied(FILE)
    monkeypatch.setenv("BILLING_SECRET", "the-third-one")
    before = len(memory.events())
    result = apply("[clients.new]\n" + FILE)
    assert result.exit_code == 1
    assert "client 'billing': it would have 3 valid secrets, of at most 2" in result.stderr
    assert len(memory.events()) == before


def test_a_mistake_in_the_file_is_refused_before_anything_else(apply):
    result = apply(FILE + 'scope = ["x"]\n')
    assert result.exit_code == 1
    assert "clients.toml:10: client 'gateway': unknown key 'scope'" in result.stderr


def test_a_run_that_broke_off_after_registering_generates_the_secret_on_the_next(applied, cli):
    cli.ok("clients", "add", "gateway", "--introspection", "issuer", "--no-secret")
    _, gateway = applied(FILE)["clients"]
    assert gateway["secrets_added"] == 1
    assert "client_secret" in gateway


def test_an_empty_list_of_secrets_generates_none(applied):
    (client,) = applied("[clients.quiet]\nsecrets = []")["clients"]
    assert client["secrets_added"] == 0


def test_secrets_generated_before_it_broke_off_are_still_shown(apply, memory, monkeypatch):
    real = command.apply_changes

    async def breaking(registry, changes, cause, generated):
        await real(registry, changes[:1], cause, generated)
        raise Unavailable

    monkeypatch.setattr(command, "apply_changes", breaking)
    result = apply("[clients.first]\n[clients.second]")
    assert result.exit_code == 3
    assert "client_secret" in result.stdout


def test_no_chosen_secret_is_ever_printed(apply):
    for flags in ((), ("--json",), ("--dry-run",)):
        assert "chosen-by-a-person" not in apply(FILE, *flags).output
