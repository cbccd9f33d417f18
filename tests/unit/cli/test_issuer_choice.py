import pytest

ONE, TWO = "https://a.example/one", "https://a.example/two"


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
