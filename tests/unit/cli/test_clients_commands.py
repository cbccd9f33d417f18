import re

import pytest

from ledger.domain.secrets import verify_chosen_secret, verify_generated_secret

ADD = ("clients", "add", "billing", "--name", "Billing", "--scope", "invoice.read", "--scope", "invoice.write")


def test_add_registers_the_settings_and_shows_the_secret_once(cli, memory):
    added = cli.json(*ADD, "--default-scope", "invoice.read", "--audience", "books", "--lifetime", "60")
    client = memory.client("billing")
    assert client.settings.scopes == ("invoice.read", "invoice.write")
    assert client.settings.default_scopes == ("invoice.read",)
    assert client.settings.audience == ("books",)
    assert client.settings.access_token_lifetime == 60
    assert client.settings.grant_types == ("client_credentials",)
    assert verify_generated_secret(added["client_secret"], client.secrets[0])
    for words in (("show", "billing"), ("list",)):
        for form in ((), ("--json",)):
            assert added["client_secret"] not in cli.ok("clients", *words, *form)


def test_add_prints_the_secret(cli):
    assert re.search(r"client_secret  [\w-]{43}\n", cli.ok(*ADD))


def test_add_generates_no_secret_with_no_secret(cli):
    assert cli.json("clients", "add", "rs", "--introspection", "issuer", "--no-secret")["secrets"] == []
    added = cli.json("clients", "add", "rs1")
    assert [secret["secret_id"] for secret in added["secrets"]] == [added["secret_id"]]
    assert "client_secret" not in cli.ok("clients", "add", "rs2", "--no-secret")


def test_add_grants_nothing_without_scopes_or_grant_types(cli):
    assert cli.json("clients", "add", "rs")["grant_types"] == []
    app = cli.json("clients", "add", "app", "--grant-type", "client_credentials")
    assert app["grant_types"] == ["client_credentials"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (ADD, "client 'billing' is registered already"),
        (("clients", "add", "x", "--scope", "a b"), "scopes: 'a b' is not a scope token"),
        (("clients", "add", "x", "--grant-type", "password"), "grant_types: 'password' is not supported"),
        (("clients", "add", "x y"), "client_id 'x y': must be"),
        (
            ("clients", "show", "unknown-client"),
            "no client 'unknown-client' is registered with http://localhost:8085/ms-auth-server",
        ),
        (("clients", "disable", "unknown-client"), "no client 'unknown-client' is registered"),
        (("clients", "enable", "unknown-client"), "no client 'unknown-client' is registered"),
        (("clients", "add-secret", "unknown-client"), "no client 'unknown-client' is registered"),
        (("clients", "retire-secret", "billing", "nope"), "client 'billing' has no secret with id 'nope'"),
    ],
)
def test_command_exits_with_1_and_a_reason_when_refused(cli, words, says):
    cli.ok(*ADD)
    result = cli(*words)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert says in result.stderr
    assert result.stdout == ""


def test_list_prints_every_client_as_table_and_json(cli):
    cli.ok(*ADD)
    cli.ok("clients", "add", "rs", "--introspection", "issuer")
    rows = cli.ok("clients", "list").splitlines()
    assert rows[0].split() == ["CLIENT", "ID", "NAME", "GRANTS", "SCOPES", "INTROSPECTION", "VALID", "SECRETS", "STATE"]
    assert [row.split()[0] for row in rows[1:]] == ["billing", "rs"]
    listed = cli.json("clients", "list")
    shown = [(c["client_id"], c["introspection"], c["enabled"]) for c in listed]
    assert shown == [("billing", "none", True), ("rs", "issuer", True)]
    assert all("hash" not in secret for c in listed for secret in c["secrets"])


def test_list_prints_an_empty_json_list_without_clients(cli):
    assert cli.json("clients", "list") == []


def test_change_is_recorded_with_its_operator(cli, memory):
    cli.ok(*ADD)
    cli.ok("clients", "disable", "billing", "--reason", "key leaked", "--actor", "grace")
    events = memory.events()
    topics = ["client.registered", "client.secret_added", "client.disabled"]
    actors = ["operator:ada", "operator:ada", "operator:grace"]
    assert [(e.topic, e.actor) for e in events] == list(zip(topics, actors, strict=True))


def test_show_prints_the_history_without_a_hash(cli, memory):
    cli.ok(*ADD)
    memory.clock.advance(hours=1)
    cli.ok("clients", "disable", "billing", "--reason", "key leaked")
    shown = cli.json("clients", "show", "billing")
    assert not shown["enabled"]
    last = shown["history"][-1]
    assert (last["type"], last["actor"], last["data"]["reason"]) == ("client.disabled", "operator:ada", "key leaked")
    assert last["recorded_at"] == "2026-03-01T13:00:00Z"
    text = cli.ok("clients", "show", "billing")
    assert "2026-03-01 13:00:00 UTC" in text
    assert "key leaked" in text
    (secret,) = shown["secrets"]
    assert secret.keys() == {"secret_id", "kind", "created_at", "expires_at", "valid"}
    assert "hash" not in str(shown)
    assert re.search(r"\b[0-9a-f]{64}\b", text + str(shown)) is None


def test_disable_and_enable_are_idempotent(cli):
    cli.ok(*ADD)
    assert cli.ok("clients", "disable", "billing") == cli.ok("clients", "disable", "billing") == "billing is disabled\n"
    assert cli.ok("clients", "enable", "billing") == cli.ok("clients", "enable", "billing") == "billing is enabled\n"


def test_rotation_keeps_both_secrets_valid_until_the_old_expires(cli, memory):
    old = cli.json(*ADD)["secret_id"]
    new = cli.json("clients", "add-secret", "billing")["secret_id"]
    cli.ok("clients", "retire-secret", "billing", old, "--after", "24h")
    both = {s["secret_id"]: s for s in cli.json("clients", "show", "billing")["secrets"]}
    assert both[old]["valid"]
    assert both[old]["expires_at"] == "2026-03-02T12:00:00+00:00"
    memory.clock.advance(hours=24)
    after = {s["secret_id"]: s["valid"] for s in cli.json("clients", "show", "billing")["secrets"]}
    assert after == {old: False, new: True}


def test_add_secret_is_refused_when_two_are_valid(cli):
    cli.ok(*ADD)
    cli.ok("clients", "add-secret", "billing")
    result = cli("clients", "add-secret", "billing")
    assert result.exit_code == 1
    assert "already has 2 valid secrets" in result.stderr


def test_retire_secret_warns_about_the_last_secret(cli):
    secret_id = cli.json(*ADD)["secret_id"]
    assert "the last valid secret" in cli.ok("clients", "retire-secret", "billing", secret_id)


def test_chosen_secret_is_read_from_file_or_stdin_and_not_printed(cli, memory, tmp_path):
    cli.ok("clients", "add", "billing", "--no-secret")
    (tmp_path / "secret").write_text("correct horse\n", encoding="utf-8")
    output = cli.ok("clients", "add-secret", "billing", "--secret-file", str(tmp_path / "secret"))
    output += cli.ok(
        "clients", "add-secret", "billing", "--secret-file", "-", "--expires-in", "1h", stdin="battery staple\n"
    )
    assert "horse" not in output
    assert "staple" not in output
    first, second = memory.client("billing").secrets
    assert verify_chosen_secret("correct horse", first.hash)
    assert verify_chosen_secret("battery staple", second.hash)
    assert second.expires_at is not None


@pytest.mark.parametrize("text", ["soon", "0", "1w", "-5", "999999999d"])
def test_add_secret_is_a_usage_error_when_the_time_is_invalid(cli, text):
    cli.ok(*ADD)
    result = cli("clients", "add-secret", "billing", f"--expires-in={text}")
    assert result.exit_code == 2
    assert "--expires-in" in result.stderr


def test_output_contains_no_markup_and_no_control_characters(cli):
    cli.ok("clients", "add", "evil", "--name", "[bold]markup[/bold]")
    assert "[bold]markup[/bold]" in cli.ok("clients", "list")
    assert cli("clients", "disable", "evil", "--reason", "\x1b[2J").exit_code == 2
